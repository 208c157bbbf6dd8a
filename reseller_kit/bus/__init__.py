"""What processes tell each other through Redis or Valkey: how full limits are, and that something changed."""

from redis.asyncio import Redis

from .announcements import Announcements
from .connection import Away, connect
from .counters import SharedCounters

__all__ = ["Announcements", "Away", "Redis", "SharedCounters", "connect"]
