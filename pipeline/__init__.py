"""The command line, the settings and the run from end to end."""
