"""Pages that people open, opened in a real browser."""
