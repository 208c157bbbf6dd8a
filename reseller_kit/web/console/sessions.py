"""Who is logged in to a console, for its pages. What reads the cookies is `web.members`."""

from __future__ import annotations

from ..members import Member, member_of, present, visit_of_member

__all__ = ["Member", "member_of", "present", "visit_of_member"]
