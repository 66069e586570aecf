"""Influence as a table, and as JSON."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np

from .._arrays import Array
from ..atoms.rows._influence import Influence, LeftOutLabels, Redundant
from ..models._rows import KINDS

_BLOCK = ("block", "group", "n_structures", "n_rows", "leverage", "is_refitted")
_TARGETS = ("largest_increase", "increase_frame", "increase_atom", "mean_increase")
_SHIFTS = ("largest_shift", "shift_frame", "shift_atom")
_ERRORS = tuple(f"{kind}_error" for kind in KINDS)
_STUDENTISED = tuple(f"{kind}_studentised" for kind in KINDS)


def influence_records(found: Influence) -> list[dict[str, Any]]:
    """Names and numbers of each block (structure or group); None for missing values.

    For a group, errors are root mean squares over its structures, studentised errors the largest.
    """
    records = [_record(found, b) for b in range(len(found.block))]
    labels = found.labels
    if labels is None:
        return records
    by_group = found.n_structures.max() > 1 or found.block.dtype.kind == "U"
    of_block = labels.group if by_group else labels.structure
    for record in records:
        record |= _of_labels(labels, np.flatnonzero(of_block == record["block"]))
    return records


def influence_csv(found: Influence) -> bytes:
    """A line for each block, the most influential first."""
    records = influence_records(found)
    text = io.StringIO()
    names = [*_BLOCK, *_TARGETS, *(_SHIFTS if found.largest_shift is not None else ())]
    names += [*_ERRORS, *_STUDENTISED, "suspicion"] if found.labels is not None else []
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for b in np.argsort(-found.largest_increase, kind="stable").tolist():
        writer.writerow({name: _shown(records[b][name]) for name in names})
    return text.getvalue().encode()


def influence_json(found: Influence, redundant: Redundant | None, suspicious: list[int]) -> bytes:
    """All blocks in order, typical errors, redundant structures, and suspicious ones."""
    content: dict[str, Any] = {"blocks": influence_records(found)}
    if found.labels is not None:
        content["spread"] = {kind: _number(value) for kind, value in found.labels.spread.items()}
        content["suspicious"] = suspicious
    if redundant is not None:
        content["redundant"] = {
            "structures": redundant.structure.tolist(),
            "increase": redundant.increase.tolist(),
            "shift": None if redundant.shift is None else redundant.shift.tolist(),
        }
    return (json.dumps(content, indent=1) + "\n").encode()


def _record(found: Influence, b: int) -> dict[str, Any]:
    record: dict[str, Any] = {name: getattr(found, name)[b].item() for name in _BLOCK}
    loosest = found.increase_target[b]
    values = (found.largest_increase[b], found.frame[loosest], found.atom[loosest], found.mean_increase[b])
    record |= {name: value.item() for name, value in zip(_TARGETS, values, strict=True)}
    if found.largest_shift is not None:
        moved = found.shift_target[b]
        of_shift = (found.largest_shift[b], found.frame[moved], found.atom[moved])
        record |= {name: value.item() for name, value in zip(_SHIFTS, of_shift, strict=True)}
    return record


def _of_labels(labels: LeftOutLabels, chosen: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind in KINDS:
        errors = getattr(labels, f"{kind}_error")[chosen]
        found[f"{kind}_error"] = _number(errors[0] if len(errors) == 1 else _root_mean_square(errors))
        found[f"{kind}_studentised"] = _number(np.fmax.reduce(labels.studentised[kind][chosen]))
    found["suspicion"] = _number(np.fmax.reduce(labels.suspicion[chosen]))
    return found


def _root_mean_square(errors: Array) -> float:
    there = errors[~np.isnan(errors)]
    return float(np.sqrt((there**2).mean())) if len(there) else np.nan


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _shown(value: Any) -> Any:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else value
