"""What processes tell each other through Redis or Valkey: how full limits are, and that something changed.

The client of the server is in the modules of this package: most deployments are one process and need not load it.
"""

from .away import Away

__all__ = ["Away"]
