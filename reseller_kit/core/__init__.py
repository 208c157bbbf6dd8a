"""Pure decisions and values: stdlib and msgspec only, synchronous, no I/O."""
