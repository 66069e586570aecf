"""Grammar of messages."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the singular for one: "1 structure", "2,000 structures", "1 species".

    >>> counted(1, "structure"), counted(2000, "structure"), counted(3, "species")
    ('1 structure', '2,000 structures', '3 species')
    """
    plural = "" if number == 1 or noun.endswith("s") else "s"
    return f"{number:,} {noun}{plural}"
