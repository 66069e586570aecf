"""Checks of the parameters of SOAP before featomic gets them: some values make it hang or end the process."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from .._errors import InvalidInputError
from ._featomic import hypers_to_json

_WHAT = "the dictionary of keyword arguments of featomic's SoapPowerSpectrum: cutoff, density and basis"
_ENTRIES = {"cutoff", "density", "basis"}
_LENGTHS = {"radius", "width"}
_ORDERS = {"max_radial", "max_angular"}
_LARGEST_ORDER = 100
_LARGEST_LENGTH = 1000.0


def checked_hypers(hypers: Mapping[str, Any]) -> dict[str, Any]:
    """Check hypers and return them as an independent dictionary for JSON and featomic.

    Raises
    ------
    InvalidInputError
        For missing or unknown entries, and for numbers out of range.
    """
    if not isinstance(hypers, Mapping):
        raise InvalidInputError(f"hypers is a {type(hypers).__name__}; it must be {_WHAT}.")
    try:
        plain = dict(json.loads(json.dumps(hypers_to_json(copy.deepcopy(dict(hypers))))))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            f"hypers cannot be written as JSON ({error}); use numbers, strings, lists and dictionaries."
        ) from error
    if missing := _ENTRIES - set(plain):
        raise InvalidInputError(f"hypers has no {', '.join(sorted(missing))}; it must be {_WHAT}.")
    if unknown := set(plain) - _ENTRIES:
        raise InvalidInputError(f"hypers has unknown entries {', '.join(sorted(unknown))}; it must be {_WHAT}.")
    if not isinstance(plain["cutoff"], dict) or "radius" not in plain["cutoff"]:
        raise InvalidInputError(f"the cutoff in hypers is {plain['cutoff']!r}; it must be a dictionary with a radius.")
    if not isinstance(plain["basis"], dict):
        raise InvalidInputError(f"the basis in hypers is {plain['basis']!r}; it must be a dictionary with a type.")
    for name, value in _numbers(plain):
        _check_number(name, value)
    return plain


def _numbers(entry: Any) -> Iterator[tuple[str, Any]]:
    """Yield entries, at any depth, whose range is known."""
    if isinstance(entry, dict):
        for name, value in entry.items():
            if name in _LENGTHS | _ORDERS:
                yield name, value
            yield from _numbers(value)
    elif isinstance(entry, list):
        for value in entry:
            yield from _numbers(value)


def _check_number(name: str, value: Any) -> None:
    if name in _LENGTHS:
        fits = isinstance(value, int | float) and 1e-3 <= value <= _LARGEST_LENGTH
        expected = f"a length from 0.001 to {_LARGEST_LENGTH:g} (in \u00c5)"
    else:
        fits = isinstance(value, int) and 0 <= value <= _LARGEST_ORDER
        expected = f"an integer from 0 to {_LARGEST_ORDER}"
    if not fits or isinstance(value, bool):
        raise InvalidInputError(f"{name} in hypers is {value!r}; it must be {expected}.")
