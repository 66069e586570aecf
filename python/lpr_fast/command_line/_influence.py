"""``lpr-fast influence``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._errors import InvalidInputError
from .._files import refuse_output, write_whole
from .._progress import ProgressLine, silent
from .._words import counted
from ..atoms.rows._influence import Influence, LeftOutLabels, Redundant
from ..atoms.rows._training_rows import TrainingRows
from ..models._rows import KINDS
from ..reading._specification import path_of
from ..writing._influence_table import influence_csv, influence_json
from ._calibrate import frames_of
from ._terminal import tell, write_each

# Number of influential structures, and of suspicious ones, that are named.
_NAMED = 5

_PLURAL = {"energy": "energies", "force": "forces", "virial": "virials"}
_UNIT_OF = {"local": "eV", "total": "eV", "force": "eV/Å"}
_UNITS = {"energy": "eV/atom", "force": "eV/Å", "virial": "eV/atom"}


@dataclass(frozen=True)
class Options:
    """Options of the command."""

    targets: tuple[str, ...]
    output: Path
    by_group: bool
    prediction: Any
    column: Any
    largest_residual: float | None
    redundant: float | None
    largest_shift: float | None
    suspicion: float
    descriptor: str | None
    reading: dict[str, Any]


def influence(path: Path, options: Options) -> None:
    """Leave structures out, write and report."""
    if options.output.suffix != ".csv":
        raise InvalidInputError(f"{options.output} is not a table; give a name that ends in .csv.")
    if options.largest_shift is not None and options.redundant is None:
        raise InvalidInputError("--largest-shift was given without --redundant, which it limits; give --redundant too.")
    outputs = [options.output, options.output.with_suffix(".json")]
    for output in outputs:
        refuse_output(output, [path, *map(path_of, options.targets)])
    rows = TrainingRows(path, options.descriptor)
    targets = list(frames_of(options.targets, options.reading))
    asked: dict[str, Any] = {
        "prediction": options.prediction,
        "column": options.column,
        "largest_residual": options.largest_residual,
        "progress": ProgressLine() if sys.stderr.isatty() else silent,
    }
    found = rows.influence(targets, groups=rows.group if options.by_group else None, **asked)
    redundant = None
    if options.redundant is not None:
        redundant = rows.redundant(targets, increase=options.redundant, shift=options.largest_shift, **asked)
    for line in report(found, redundant, options.suspicion, _UNIT_OF[options.prediction]):
        tell(line)
    suspicious = [] if found.labels is None else found.labels.suspicious(options.suspicion).tolist()
    contents = [influence_csv(found), influence_json(found, redundant, suspicious)]
    write_each(outputs, lambda output: write_whole(output, contents[outputs.index(output)]))


def report(found: Influence, redundant: Redundant | None, suspicion: float, unit: str) -> Iterator[str]:
    """Lines about the rows, the influential and the redundant structures, and suspicious labels."""
    n_blind = int(np.count_nonzero(found.blind))
    blind = f" ({n_blind} of them with too large a residual, ignored)" if n_blind else ""
    labels = counted(int(found.n_rows.sum()), "label")
    structures = counted(int(found.n_structures.sum()), "structure")
    yield f"training  {labels} of {structures}; effective number of parameters {found.leverage.sum():.4g}"
    yield f"targets   {len(found.frame)}{blind}; {counted(len(found.block), _noun(found))} left out one at a time" + (
        _refitted(found)
    )
    yield from _influential(found, unit)
    yield _typical(found, unit)
    if redundant is not None:
        yield _together(redundant, unit)
    if found.labels is not None:
        yield from _of_labels(found.labels, suspicion)


def _refitted(found: Influence) -> str:
    count = int(np.count_nonzero(found.is_refitted))
    return f" ({count} of them by a refit)" if count else ""


def _influential(found: Influence, unit: str) -> Iterator[str]:
    """The structures or groups without which the variance of a target grows most."""
    for b in np.argsort(-found.largest_increase, kind="stable")[:_NAMED].tolist():
        target, shift = found.increase_target[b], ""
        if found.largest_shift is not None:
            shift = f", and predictions change by up to {abs(found.largest_shift[b]):.3g} {unit}"
        yield (
            f"matters   {_name(found, b)}: without it, the variance of {_target(found, target)} is "
            f"{1.0 + found.largest_increase[b]:.3g} times as large{shift}"
        )


def _typical(found: Influence, unit: str) -> str:
    half = float(np.median(found.largest_increase))
    shift = ""
    if found.largest_shift is not None:
        shift = f", no prediction changes by more than {np.median(np.abs(found.largest_shift)):.2g} {unit}"
    return (
        f"typical   for half of the {_noun(found)}s, no variance grows by more than {100 * half:.2g} %{shift} when "
        "one is "
        "left out"
    )


def _together(redundant: Redundant, unit: str) -> str:
    count = len(redundant.structure)
    if not count:
        return "redundant none: without any structure, a variance grows by more than --redundant allows"
    shift = "" if redundant.shift is None else f", predictions change by up to {redundant.shift[-1]:.2g} {unit}"
    return (
        f"redundant {counted(count, 'structure')} can be left out together: variances grow by up to "
        f"{100 * redundant.increase[-1]:.2g} %{shift}; the .json file lists them"
    )


def _of_labels(labels: LeftOutLabels, suspicion: float) -> Iterator[str]:
    for kind in KINDS:
        errors = getattr(labels, f"{kind}_error")
        there = errors[~np.isnan(errors)]
        if len(there):
            beside = f", typically {labels.spread[kind]:.3g} times what noise and variance predict"
            yield (
                f"left out  {_PLURAL[kind]}: leave-one-out RMSE {np.sqrt((there**2).mean()):.3g} {_UNITS[kind]}"
                + beside * labels.has_noise
            )
    chosen = labels.suspicious(suspicion)
    if not len(chosen):
        yield f"labels    no leave-one-out error is {suspicion:g} times the typical one"
        return
    yield (
        f"labels    {counted(len(chosen), 'structure')} with a leave-one-out error of more than {suspicion:g} times "
        "the "
        "typical one: the label is wrong, or no other structure is similar; look at them"
    )
    for structure in chosen[:_NAMED].tolist():
        at = int(np.flatnonzero(labels.structure == structure)[0])
        group = f" ({labels.group[at]})" if labels.group[at] else ""
        ratios = {kind: labels.studentised[kind][at] / labels.spread[kind] for kind in KINDS if labels.spread[kind] > 0}
        ratios_text = ", ".join(f"{kind} {ratio:.3g}" for kind, ratio in ratios.items() if not np.isnan(ratio))
        yield f"          structure {structure}{group}: {ratios_text} times"


def _noun(found: Influence) -> str:
    return "group" if found.block.dtype.kind == "U" else "structure"


def _name(found: Influence, b: int) -> str:
    if _noun(found) == "group":
        return f"group {found.block[b]} ({counted(int(found.n_structures[b]), 'structure')})"
    group = f" ({found.group[b]})" if found.group[b] else ""
    return f"structure {found.block[b]}{group}"


def _target(found: Influence, target: int) -> str:
    atom = found.atom[target]
    return f"frame {found.frame[target]}" + ("" if atom < 0 else f", atom {atom}")
