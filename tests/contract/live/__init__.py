"""One suite that every live source passes against a local server speaking its wire."""
