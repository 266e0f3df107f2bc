"""Training of the embedded sentiment model (needs the extra `train`)."""
