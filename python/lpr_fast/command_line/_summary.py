"""Summary of a run, as text and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .._species import symbol
from .._words import counted
from ..jobs._job import Run
from ..models._scores import LOSS_NAMES
from ..writing._sinks import GROUP_KEY
from ..writing._statistics import Extreme, Statistics
from ..writing._summary import RunSummary
from ._terminal import aligned, shares
from ._verdicts import by_name, verdict_facts

# Quantiles in percent.
_QUANTILES = (5, 50, 95)


def as_facts(run: Run, command: Sequence[str]) -> dict[str, Any]:
    """Output of ``--json``; null stands for missing values and for infinity, which JSON does not have."""
    summary = run.summary
    return {
        "frames": summary.n_frames,
        "loss": run.loss,
        **_facts_of(summary),
        **verdict_facts(run, command),
        "species": {symbol(n): {"atomic_number": n, **_facts_of(summary.species[n])} for n in sorted(summary.species)},
        GROUP_KEY: {name: _facts_of(part) for name, part in summary.groups.items()},
        "skipped_frames": summary.n_skipped,
        "skipped": [{"frame": number, "reason": reason} for number, reason in summary.skipped],
        "resumed_at_frame": run.resumed_at,
        "resumed_at_atom": run.resumed_at_atom,
        "seconds": run.seconds,
        "written": [str(path) for path in run.written],
    }


def _facts_of(part: Statistics) -> dict[str, Any]:
    return {
        "atoms": part.n_atoms,
        "unknown_atoms": part.n_unknown,
        "lpr_lowest": _place(part.lpr_lowest),
        **{f"lpr_{share}": _finite(part.quantile(share / 100)) for share in _QUANTILES},
        "lpr_held_lowest": _place(part.lpr_held_lowest),
        **{f"lpr_held_{share}": _finite(part.quantile(share / 100, held=True)) for share in _QUANTILES},
        "residual_largest": _place(part.residual_largest),
        "force_sigma_largest": _place(part.force_sigma_largest),
        "frames_with_energy": part.n_energies,
        "energy_rmse_per_atom": part.energy_rmse,
        "verdicts": None if part.verdicts is None else by_name(part.verdicts),
    }


def _place(extreme: Extreme | None) -> dict[str, Any] | None:
    if extreme is None:
        return None
    where = {"frame": extreme.frame, "atom": extreme.atom}
    what = {"species": symbol(extreme.species), "atomic_number": extreme.species}
    return {"value": _finite(extreme.value), **where, **what}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def as_lines(run: Run, source: str) -> list[str]:
    """Lines to print."""
    summary = run.summary
    lines = [f"scored    {counted(summary.n_frames, 'frame')}, {counted(summary.n_atoms, 'atom')}, from {source}"]
    if summary.n_skipped:
        lines.append(f"skipped   {counted(summary.n_skipped, 'frame')}, the first because {summary.skipped[0][1]}")
    if summary.n_unknown:
        unknown = counted(summary.n_unknown, "atom")
        lines.append(f"unknown   {unknown} have NaN: their species, or that of a neighbour, is not in the model")
    if summary.lpr_lowest is not None:
        lines += _about_rigidity(summary, LOSS_NAMES[run.loss])
    if summary.energy_rmse is not None:
        lines.append(
            f"energies  RMSE {summary.energy_rmse:.4g} per atom, in the unit of the energies, over "
            f"{counted(summary.n_energies, 'frame')} with energies"
        )
    lines.append(f"seconds   {shares(run.seconds)}")
    return lines


def _about_rigidity(summary: RunSummary, loss: str) -> list[str]:
    assert summary.lpr_lowest is not None
    held = summary.lpr_held_lowest
    lines = [f"LPR       lowest {_where(summary.lpr_lowest)}; frames and atoms are counted from 0"]
    if held is not None:
        lines.append(f"LPR held  lowest {_where(held)}")
    lines.append(f"          an LPR far below others: the data do not determine this atom's energy (loss on {loss})")
    if held is not None:
        lines.append(
            "          LPR held: the same without shifts of whole species (and of --hold); compare atoms by it"
        )
    if summary.residual_largest is not None:
        lines.append(f"residual  largest {_where(summary.residual_largest)}")
        lines.append("          0: as in the active set; near 1: unlike all of it, and even a high LPR means nothing")
    if summary.force_sigma_largest is not None:
        lines.append(
            f"forces    largest sigma {_where(summary.force_sigma_largest)}, in the unit of the energies per Å"
        )
    species = {symbol(number): summary.species[number] for number in sorted(summary.species)}
    parts = {"all": summary, **species} if len(species) > 1 else species
    lines += _table("species", parts)
    if summary.groups:
        lines += _table(GROUP_KEY, summary.groups)
    return lines


def _where(extreme: Extreme) -> str:
    element = symbol(extreme.species)
    return f"{extreme.value:.4g} at frame {extreme.frame}, atom {extreme.atom} ({element})"


def _table(what: str, parts: Mapping[str, Statistics]) -> list[str]:
    """A line for each part: number of atoms, quantiles of the LPR (of the held LPR, if there is one), extremes."""
    held = any(part.lpr_held_lowest is not None for part in parts.values())
    heads = [
        what,
        "atoms",
        "lowest LPR held" if held else "lowest LPR",
        *("median" if share == 50 else f"{share} % quantile" for share in _QUANTILES),
        "largest residual",
        "energy RMSE",
    ]
    rows = [
        [
            name,
            str(part.n_atoms),
            *_rigidities(part, held=held),
            "" if part.residual_largest is None else f"{part.residual_largest.value:.3g}",
            "" if part.energy_rmse is None else f"{part.energy_rmse:.3g}",
        ]
        for name, part in parts.items()
    ]
    return aligned(heads, rows)


def _rigidities(part: Statistics, *, held: bool) -> list[str]:
    """The lowest LPR of a part, and its quantiles."""
    lowest = part.lpr_held_lowest if held else part.lpr_lowest
    if lowest is None:
        return [""] * (1 + len(_QUANTILES))
    return [f"{value:.3g}" for value in (lowest.value, *(part.quantile(s / 100, held=held) for s in _QUANTILES))]
