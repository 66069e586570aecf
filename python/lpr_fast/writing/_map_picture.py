"""Pictures of maps of environments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import Array
from .._species import symbol
from ._picture import COLOURS, panels_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Columns that span orders of magnitude.
_LOGARITHMIC = ("lpr", "lpr_held")

# Points without a finite value.
_GREY = "0.8"


def plot_map(target: Path, coordinates: Array, species: NDArray[np.int64], values: Array, name: str) -> None:
    """Draw the first two coordinates, a panel for each species, coloured by a column."""
    kinds = np.unique(species)
    is_counted = _is_counted(values)
    with panels_of(target, len(kinds)) as (figure, panels):
        for axes, s in zip(panels, kinds.tolist(), strict=True):
            rows = species == s
            if is_counted:
                _draw_counts(axes, coordinates[rows], values[rows], np.unique(values))
            else:
                points = _draw_values(axes, coordinates[rows], values[rows], _norm(values, name))
            axes.set(xlabel="kernel PCA 1", ylabel="kernel PCA 2", title=f"{symbol(s)}, {rows.sum():,} environments")
        if is_counted:
            panels[-1].legend(frameon=False, title=name, loc="best")
        else:
            figure.colorbar(points, ax=panels, label=name)


def _is_counted(values: Array) -> bool:
    """Whether values are few whole numbers, for example coordination numbers."""
    different = np.unique(values)
    return bool(len(different) <= len(COLOURS) and np.isfinite(different).all() and (different % 1.0 == 0.0).all())


def _draw_counts(axes: Axes, coordinates: Array, values: Array, different: Array) -> None:
    for k, value in enumerate(different.tolist()):
        x, y = coordinates[values == value, :2].T
        axes.scatter(x, y, s=9, color=COLOURS[k], alpha=0.7, linewidths=0, label=f"{value:g}")


def _draw_values(axes: Axes, coordinates: Array, values: Array, norm: Any) -> Any:
    """Draw the lowest values on top, because they are few."""
    known = np.isfinite(values)
    x, y = coordinates[~known, :2].T
    axes.scatter(x, y, s=9, color=_GREY, linewidths=0)
    order = np.argsort(-values[known], kind="stable")
    x, y = coordinates[known][order, :2].T
    return axes.scatter(x, y, s=9, c=values[known][order], norm=norm, cmap="viridis", linewidths=0)


def _norm(values: Array, name: str) -> Any:
    from matplotlib.colors import LogNorm, Normalize

    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if len(finite) else (1.0, 1.0)
    return LogNorm(low, high) if name in _LOGARITHMIC and 0.0 < low < high else Normalize(low, high)
