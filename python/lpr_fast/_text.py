"""Words of messages."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number and a noun: 1 frame, 2 frames; `plural` is for nouns that take more than an s."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
