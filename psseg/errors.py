"""What psseg says when an input cannot be used, or was used with a reservation."""

from __future__ import annotations

__all__ = ["PssegError", "PssegWarning"]


class PssegError(ValueError):
    """A wrong input: one line that says what was wrong, where, and what to do about it."""


class PssegWarning(UserWarning):
    """A usable input that the user should know something about."""
