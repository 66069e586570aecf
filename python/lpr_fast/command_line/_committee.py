"""``lpr-fast committee``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .._files import refuse_output
from .._words import counted
from ..atoms._committee import Committee
from ..atoms._load import load_model
from ..atoms.rows._training_rows import TrainingRows
from ..descriptors._imported import as_descriptor
from ._terminal import tell


def committee(
    rows: Path,
    output: Path,
    *,
    members: int,
    fraction: float | None,
    with_replacement: bool,
    seed: int,
    memory: str | None,
    model: Path | None,
    descriptor: str | None,
) -> None:
    """Fit, save and report."""
    refuse_output(output, [rows] if model is None else [rows, model])
    outside = None if descriptor is None else as_descriptor(descriptor)
    kept = TrainingRows(rows, outside)
    found = Committee.fit(kept, members, fraction=fraction, with_replacement=with_replacement, seed=seed, memory=memory)
    (found.model if model is None else found.joined_to(load_model(model, outside))).save(output)
    drawn, different = int(found.counts[0].sum()), np.count_nonzero(found.counts, axis=1).mean()
    repeated = f" ({different:.0f} of them different)" if with_replacement else ""
    tell(
        f"committee {len(found)} members, each fitted to {drawn}{repeated} of {counted(kept.n_structures, 'structure')}"
    )
    if _leaves_split_open(found):
        tell(
            "split     the training energies do not determine how the energy is split between species; the members "
            "share "
            "the baseline, so their spread does not show this: read lpr_held"
        )
    tell("scores    have the spread of the members, and the LPR of a fit to all structures")
    if model is None:
        tell(
            "verdicts  none; to keep percentiles and verdicts, give the model of the fit that wrote the rows (--model)"
        )
    tell(f"written   {output}")


def _leaves_split_open(found: Committee) -> bool:
    """Whether the compositions leave a shift between species undetermined."""
    facts = found.model.provenance
    return bool(facts.get("n_compositions", len(found.model.species)) < len(found.model.species))
