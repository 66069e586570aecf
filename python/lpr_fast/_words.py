"""Words of messages."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun; `plural` is for nouns that take more than an s.

    >>> counted(1, "structure"), counted(2000, "structure"), counted(3, "species")
    ('1 structure', '2000 structures', '3 species')
    """
    several = plural or (noun if noun.endswith("s") else f"{noun}s")
    return f"{number} {agreeing(number, noun, several)}"


def agreeing(number: int, singular: str, plural: str) -> str:
    """Return the word that agrees with a number: a noun, or a verb.

    >>> agreeing(1, "has", "have"), agreeing(2, "has", "have")
    ('has', 'have')
    """
    return singular if number == 1 else plural
