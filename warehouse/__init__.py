"""Landing files, raw tables and the published file."""
