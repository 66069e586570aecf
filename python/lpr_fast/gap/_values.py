"""Values of options of gap_fit: numbers, switches, tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from .._errors import InvalidInputError
from ._words import list_of

_SWITCHES = {"t": True, "true": True, ".true.": True, "f": False, "false": False, ".false.": False}


def as_float(name: str, text: str) -> float:
    """A number in Fortran notation.

    Raises
    ------
    InvalidInputError
        For other text.
    """
    try:
        number = float(text.lower().replace("d", "e"))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InvalidInputError(f"{name} of gap_fit is {text!r}; it must be a number.")
    return number


def as_floats(name: str, text: str) -> list[float]:
    """Numbers between blanks, colons or commas."""
    return [as_float(name, part) for part in text.replace(":", " ").replace(",", " ").split()]


def as_integer(name: str, text: str) -> int:
    """A whole number."""
    number = as_float(name, text)
    if number != int(number):
        raise InvalidInputError(f"{name} of gap_fit is {text!r}; it must be an integer.")
    return int(number)


def as_switch(name: str, text: str) -> bool:
    """T or F."""
    if text.lower() not in _SWITCHES:
        raise InvalidInputError(f"{name} of gap_fit is {text!r}; it must be T or F.")
    return _SWITCHES[text.lower()]


def as_table(name: str, text: str, width: int) -> dict[str, list[float]]:
    """Entries such as liquid:0.01:0.1: a name and `width` numbers each, joined by colons."""
    parts = list_of(text)
    if not text.strip():
        return {}
    if len(parts) % (width + 1):
        raise InvalidInputError(
            f"{name} of gap_fit has {len(parts)} entries; it must have a name and {width} number{'s' * (width > 1)} "
            "for each, with colons between them."
        )
    rows = [parts[start : start + width + 1] for start in range(0, len(parts), width + 1)]
    return {row[0]: [as_float(name, part) for part in row[1:]] for row in rows}


@dataclass
class Options:
    """Options that are taken one by one; those that are left are unknown.

    Attributes
    ----------
    given : dict of str to str
        Options that are left.
    remarks : list of str
        Sentences about differences.
    """

    given: dict[str, str]
    remarks: list[str] = field(default_factory=list)

    def take(self, *names: str, default: str | None = None) -> str | None:
        """The value of an option that has several names."""
        found = [self.given.pop(name) for name in names if name in self.given]
        if len(found) > 1:
            raise InvalidInputError(
                f"{' and '.join(names)} are the same option of gap_fit, and both were given; give one of them."
            )
        return found[0] if found else default

    def need(self, *names: str) -> str:
        """The value of a required option."""
        value = self.take(*names)
        if value is None:
            raise InvalidInputError(f"the gap_fit command has no {names[0]}; add it: gap_fit needs it too.")
        return value

    def refuse_others(self, what: str, allowed: Mapping[str, str], why: str) -> None:
        """Refuse other values of these options."""
        for name, usual in allowed.items():
            value = self.take(name, default=usual)
            if str(value).lower() != usual.lower() and not _same_number(str(value), usual):
                raise InvalidInputError(f"{what} has {name}={value}; {why}.")

    def leave_out(self, names: Mapping[str, str]) -> None:
        """Ignore these options, with a remark that says why."""
        for name, why in names.items():
            if (value := self.take(name)) is not None:
                self.remarks.append(f"{name}={value} is ignored: {why}.")


def _same_number(value: str, usual: str) -> bool:
    try:
        return float(value) == float(usual)
    except ValueError:
        return False
