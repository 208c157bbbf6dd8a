"""The parts of scripts/emulator. Imports nothing of the product, so that a shared mistake can't hide."""
