"""A map of environments in the colour of what changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..writing._environment_map import check_output, environment_map

if TYPE_CHECKING:
    from ._comparison import Comparison

# What colours the map.
_CHANGE = "log10 of the change of the LPR"


def map_comparison(comparison: Comparison, target: Path, n_environments: int, seed: int, n_threads: int) -> Path:
    """See `Comparison.map`."""
    check_output(target, [])
    change = comparison.enhancement if comparison.enhancement_held is None else comparison.enhancement_held
    with np.errstate(divide="ignore"):
        colour = np.log10(1.0 + change)
    found = environment_map(
        comparison.models[1],
        comparison.frames,
        colour=np.where(np.isfinite(colour), colour, np.nan),
        n_environments=n_environments,
        seed=seed,
        n_threads=n_threads,
    )
    columns = {_CHANGE if name == found.colour else name: values for name, values in found.columns.items()}
    return replace(found, columns=columns, colour=_CHANGE).save(target)
