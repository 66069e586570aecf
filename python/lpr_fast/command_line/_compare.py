"""``lpr-fast compare``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .._errors import InvalidInputError
from .._files import refuse_output
from .._species import symbol
from .._words import agreeing, counted
from ..atoms._load import load_model
from ..comparing._compared import ComparedAtoms
from ..comparing._comparison import Comparison, compare
from ..comparing._distribution import Distribution
from ..comparing._files import PICTURES, check_suffix
from ..comparing._nearest import NearestAtoms
from ..descriptors._imported import as_descriptor
from ..reading._options import ReadOptions
from ..reading._sources import STANDARD_INPUT, readable, refuse_second_reading, source_of
from ..reading._specification import path_of
from ._terminal import tell, write_each

_INDENT = " " * 10

# Atoms with a larger residual are far from the active set.
_BLIND = 0.1

# Larger ratios are printed as factors, not percentages; smaller changes count as none.
_MANIFOLD, _SAME = 3.0, 0.01

# Decimals of a percentage: smaller changes are rounding errors.
_DECIMALS = 6


def compare_models(
    a: Path,
    b: Path,
    trajectory: tuple[str, ...],
    output: tuple[Path, ...],
    *,
    near: str | None,
    k: int,
    descriptor: str | None,
    reading: dict[str, Any],
) -> None:
    """Compare, write and report."""
    specifications = [*trajectory, *([] if near is None else [near])]
    refuse_second_reading(specifications)
    inputs = [a, b, *map(path_of, specifications)]
    outputs = output or _default(trajectory)
    for path in outputs:
        check_suffix(path)
        refuse_output(path, inputs)
    given = None if descriptor is None else as_descriptor(descriptor)
    models = [load_model(path, given) for path in (a, b)]
    frames = readable(source_of(list(trajectory), ReadOptions.of(**reading)))
    found = compare(models[0], models[1], frames)
    nearest = None if near is None else found.nearest(readable(source_of(near)), k)
    for line in [f"models    {a} -> {b}", *_lines(found, nearest, near)]:
        tell(line)
    write_each(outputs, lambda path: found.plot(path, nearest=nearest) if path.suffix in PICTURES else found.save(path))


def _default(trajectory: tuple[str, ...]) -> tuple[Path, ...]:
    """A table and a picture beside the first trajectory."""
    first = path_of(trajectory[0])
    if trajectory[0] == STANDARD_INPUT:
        raise InvalidInputError("outputs cannot be named after standard input; name them (-o).")
    stem = first.name.split(".")[0] or first.name
    return first.with_name(f"{stem}.compare.csv"), first.with_name(f"{stem}.compare.png")


def _lines(found: Comparison, nearest: NearestAtoms | None, near: str | None) -> Iterator[str]:
    for sentence in found.differences.sentences():
        yield _INDENT + sentence
    yield f"atoms     {len(found)} in {counted(len(found.frames), 'frame')}"
    for species, changes in found.by_species().items():
        yield from _about(f"{symbol(species):<10}", changes)
    if nearest is not None:
        yield from _about("nearest   ", nearest.distributions())
        yield (
            f"{_INDENT}of the {agreeing(len(nearest), 'atom', f'{len(nearest)} atoms')} most similar to those of "
            f"{near} (kernels {nearest.similarity[-1]:.5f} to {nearest.similarity[0]:.5f})"
        )
    if len(found):
        yield from _where(found)
        yield f"next      {_next(found)}"


def _about(name: str, changes: dict[str, Distribution]) -> Iterator[str]:
    lpr = changes["enhancement"]
    left_out = f"; without {counted(lpr.n_left_out, 'atom')} of infinite LPR" if lpr.n_left_out else ""
    yield f"{name}LPR {_enhancement(lpr)}{left_out}"
    if "enhancement_held" in changes:
        yield f"{_INDENT}LPR held {_enhancement(changes['enhancement_held'])}"
    yield f"{_INDENT}variance {_change(changes['variance_ratio'].median)} (median)"
    if "spread_ratio" in changes:
        spread = changes["spread_ratio"]
        yield f"{_INDENT}spread of the committee {_change(spread.median)} (median; mean {_change(spread.mean)})"


def _enhancement(found: Distribution) -> str:
    if not found.n:
        return "has no finite change"
    ends = f"5 to 95 %: {_change(1.0 + found.low)} to {_change(1.0 + found.high)}"
    return f"{_change(1.0 + found.median)} (median; mean {_change(1.0 + found.mean)}; {ends})"


def _change(ratio: float) -> str:
    """A change in percent, or as a factor if it is large."""
    if ratio >= _MANIFOLD:
        return f"x {ratio:.3g}"
    return f"{round(100.0 * (ratio - 1.0), _DECIMALS) + 0.0:+.3g} %"


def _where(found: Comparison) -> Iterator[str]:
    finite = np.flatnonzero(np.isfinite(found.enhancement))
    if not len(finite):
        return
    for name, place in (("most", found.enhancement[finite].argmax()), ("least", found.enhancement[finite].argmin())):
        i = finite[place]
        what = f"atom {found.atom[i]} ({symbol(int(found.species[i]))}) of frame {found.frame[i]}"
        yield f"{name:<10}LPR {_change(1.0 + found.enhancement[i])} at {what}"
    if found.local_energy_a is not None and found.local_energy_b is not None:
        change = found.local_energy_b - found.local_energy_a
        yield (
            f"energies  local energies change by {np.sqrt(np.mean(change**2)):.3g} (root mean square, unit of the "
            "energies)"
        )


def _next(found: ComparedAtoms) -> str:
    """What to do next."""
    blind = 0.0 if found.residual_b is None else float(np.mean(found.residual_b > _BLIND))
    if blind > _SAME:
        return (
            f"{100.0 * blind:.2g} % of the atoms are far from the active set of model B, where the LPR says little: "
            "fit B again with --active-from TRAJECTORY"
        )
    finite = found.enhancement[np.isfinite(found.enhancement)]
    if not len(finite) or np.median(finite) < _SAME:
        return "the LPR of these atoms has hardly changed: add structures with similar environments (lpr-fast suggest)"
    return "find the least rigid atoms of model B (lpr-fast score), and add structures for them (lpr-fast suggest)"
