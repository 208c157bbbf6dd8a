"""What an operator sees of a running process: one access line a request, metrics, redaction. Never a body or a key."""
