"""Measured speed: each module is a command of its own; `make bench` runs them all."""
