"""Words of messages."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun; `plural` is for nouns that take more than an s.

    >>> counted(1, "structure"), counted(2000, "structure"), counted(3, "species")
    ('1 structure', '2000 structures', '3 species')
    """
    several = plural or (noun if noun.endswith("s") else f"{noun}s")
    return f"{number} {noun if number == 1 else several}"
