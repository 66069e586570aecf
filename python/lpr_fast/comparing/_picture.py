"""A picture of two models on the same atoms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .._arrays import Array
from .._species import symbol
from ..models._scores import LOSS_NAMES
from ..writing._picture import COLOURS, check_picture, panels_of
from ._compared import ComparedAtoms

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ._comparison import Comparison
    from ._nearest import NearestAtoms

# Largest number of points of one species; of more atoms, every k-th is drawn.
_POINTS = 5000


def plot_comparison(comparison: Comparison, target: Path, nearest: NearestAtoms | None) -> Path:
    """See `Comparison.plot`."""
    check_picture(target, [])
    rigidity = "lpr" if comparison.lpr_held_a is None else "lpr_held"
    name = f"{'LPR' if rigidity == 'lpr' else 'LPR held'} (loss on {LOSS_NAMES[comparison.models[0].loss]})"
    with panels_of(target, 2 if nearest is None else 3) as (_, panels):
        _against(panels[0], comparison, rigidity, name)
        _changes(panels[1], comparison, rigidity)
        if nearest is not None:
            _near(panels[2], nearest, rigidity)
    return target


def _ratio(atoms: ComparedAtoms, rigidity: str) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Array = atoms[f"{rigidity}_b"] / atoms[f"{rigidity}_a"]
    return ratio


def _against(axes: Axes, atoms: Comparison, rigidity: str, name: str) -> None:
    first, second = atoms[f"{rigidity}_a"], atoms[f"{rigidity}_b"]
    shown = np.isfinite(first) & np.isfinite(second) & (first > 0.0) & (second > 0.0)
    for k, s in enumerate(np.unique(atoms.species).tolist()):
        those = np.flatnonzero(shown & (atoms.species == s))
        those = those[:: -(-len(those) // _POINTS) or 1]
        axes.plot(first[those], second[those], ".", markersize=3, alpha=0.4, color=_colour(k), label=symbol(s))
    axes.axline((1.0, 1.0), (10.0, 10.0), color=COLOURS[6], linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlabel=f"{name}, first model", ylabel="second model")
    axes.set_title("Above the line: more rigid")
    axes.legend(frameon=False, markerscale=3)


def _changes(axes: Axes, atoms: Comparison, rigidity: str) -> None:
    ratio = _ratio(atoms, rigidity)
    finite = np.isfinite(ratio) & (ratio > 0.0)
    if not finite.any():
        axes.set_title("No finite change")
        return
    low, high = np.log10(ratio[finite].min()), np.log10(ratio[finite].max())
    edges = np.logspace(min(low, -0.01), max(high, 0.01), 61)
    for k, s in enumerate(np.unique(atoms.species).tolist()):
        of_species = ratio[finite & (atoms.species == s)]
        shares = 100.0 * np.histogram(of_species, edges)[0] / max(len(of_species), 1)
        axes.stairs(shares, edges, color=_colour(k), label=f"{symbol(s)}, {len(of_species):,} atoms")
    axes.axvline(1.0, color=COLOURS[6], linewidth=0.8)
    axes.set(xscale="log", xlabel="LPR of the second model / first", ylabel="atoms of the species (%)")
    axes.set_title("Change, by species")
    axes.legend(frameon=False)


def _near(axes: Axes, nearest: NearestAtoms, rigidity: str) -> None:
    axes.plot(nearest.similarity, _ratio(nearest, rigidity), ".", color=COLOURS[0])
    axes.axhline(1.0, color=COLOURS[6], linewidth=0.8)
    axes.set(yscale="log", xlabel="similarity to the given environments", ylabel="LPR of the second model / first")
    axes.locator_params(axis="x", nbins=4)
    axes.set_title(f"The {len(nearest)} nearest atoms")


def _colour(k: int) -> str:
    return COLOURS[k % len(COLOURS)]
