"""The text of a gap_fit command: words, names and values, and lists within values."""

from __future__ import annotations

from collections.abc import Iterator

from .._errors import InvalidInputError

_OPEN, _CLOSED, _QUOTES = "{", "}", "'\""

# Name of the program, before the options.
_PROGRAM = "gap_fit"


def options_of(text: str) -> dict[str, str]:
    """Names and values of a command, or of a configuration file.

    Raises
    ------
    InvalidInputError
        For words that are not options, options that are given twice, and braces or quotes that do not match.
    """
    words = list(words_of(text.replace("\\\n", " ")))
    program = next((k for k, word in enumerate(words) if _is_program(word)), -1)
    return named(words[program + 1 :], "the gap_fit command")


def named(words: list[str], what: str) -> dict[str, str]:
    """Words such as name=value, as a dictionary."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise InvalidInputError(f"{what} has {word!r}, which is not an option; write options as name=value.")
        if name in found:
            raise InvalidInputError(f"{what} has {name} twice; give it once.")
        found[name] = bare(value)
    return found


def words_of(text: str) -> Iterator[str]:
    """Words between blanks outside quotes and braces, without the quotes."""
    for word in _parts(text, " \t\r\n"):
        if word:
            yield word


def list_of(text: str, separator: str = ":") -> list[str]:
    """Parts between separators outside braces."""
    return [part.strip() for part in _parts(bare(text), separator)]


def bare(text: str) -> str:
    """The text without a pair of braces around all of it."""
    text = text.strip()
    if text.startswith(_OPEN) and text.endswith(_CLOSED) and _closes_at(text) == len(text) - 1:
        return text[1:-1].strip()
    return text


def _parts(text: str, separators: str) -> Iterator[str]:
    part: list[str] = []
    depth, quote = 0, ""
    for character in text:
        if quote:
            if character == quote:
                quote = ""
            else:
                part.append(character)
        elif character in _QUOTES:
            quote = character
        elif character in separators and not depth:
            yield "".join(part)
            part = []
        else:
            depth += (character == _OPEN) - (character == _CLOSED)
            if depth < 0:
                break
            part.append(character)
    if quote or depth:
        raise InvalidInputError(
            f"{'quotes' if quote else 'braces'} of the gap_fit command do not match, near {text.strip()[:60]!r}; give "
            "the whole command."
        )
    yield "".join(part)


def _closes_at(text: str) -> int:
    """Position of the brace that closes the first one."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == _OPEN) - (character == _CLOSED)
        if not depth:
            return place
    return -1


def _is_program(word: str) -> bool:
    return word.rsplit("/", maxsplit=1)[-1] == _PROGRAM
