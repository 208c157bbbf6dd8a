"""Codecs of the wire dialects: bytes to structs and back, no I/O."""
