"""What DNS says of a host, and which names anybody may register under. Judges nothing; no handshake waits for it."""

from .resolver import Resolver
from .suffixes import is_public_suffix

__all__ = ["Resolver", "is_public_suffix"]
