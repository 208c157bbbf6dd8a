"""What is raised when Redis or Valkey does not answer. Loads no client."""

from __future__ import annotations


class Away(Exception):
    """The server can't be reached, does not answer in time, or does not do what is asked of it."""
