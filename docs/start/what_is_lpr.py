"""Draw docs/start/what_is_lpr.png: one total divided in several ways, and the loss when one local energy is held.

`python docs/start/what_is_lpr.py`
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

mpl.use("Agg")
import matplotlib.pyplot as plt

COLOURS = ("#0072B2", "#D55E00", "#AA3377")  # rigid, loose, loose
SHARES = np.array([[2.0, 2.4, 0.6], [2.0, 1.5, 1.5], [2.0, 0.8, 2.2]])  # of the atoms in each fit; each adds up to 5


def draw_divisions(axes: Axes) -> None:
    """Draw the same total, divided among three atoms by three fits."""
    bottom = np.zeros(len(SHARES))
    for atom, (shares, colour) in enumerate(zip(SHARES.T, COLOURS, strict=True), start=1):
        axes.bar(range(len(SHARES)), shares, 0.6, bottom=bottom, color=colour, edgecolor="white", linewidth=2)
        for x, (low, share) in enumerate(zip(bottom, shares, strict=True)):
            axes.text(x, low + share / 2, f"atom {atom}", ha="center", va="center", color="white", weight="bold")
        bottom += shares
    axes.axhline(bottom[0], color="0.2", linewidth=1.5, linestyle=":")
    axes.text(2.45, bottom[0] + 0.12, "total energy: known", ha="right", color="0.2")
    axes.set(title="Three fits divide one total", ylim=(0, 5.8), ylabel="energy", yticks=[])
    axes.set_xticks(range(len(SHARES)), [f"fit {n}" for n in (1, 2, 3)])


def draw_parabolas(axes: Axes) -> None:
    """Draw the rise of the loss when one local energy is held away from its optimum."""
    shift = np.linspace(-1, 1, 201)
    axes.plot(shift, 6 * shift**2, color=COLOURS[0], linewidth=3)
    axes.plot(shift, 0.25 * shift**2, color=COLOURS[1], linewidth=3)
    axes.text(0.53, 1.45, "atom 1: rigid,\nlarge LPR", color=COLOURS[0], weight="bold", va="top")
    axes.text(0.53, 0.3, "atom 2: loose,\nsmall LPR", color=COLOURS[1], weight="bold", va="bottom")
    axes.set(title="Push one local energy, let the rest adapt", ylim=(-0.06, 1.6), xlim=(-1, 1))
    axes.set(xlabel="shift of the local energy", ylabel="rise of the loss", xticks=[0], yticks=[0])


def main() -> None:
    """Draw both, one above the other, for wide and narrow screens."""
    plt.rcParams.update({"font.size": 13, "axes.spines.top": False, "axes.spines.right": False})
    figure, (above, below) = plt.subplots(2, 1, figsize=(5.4, 6.6), layout="constrained")
    draw_divisions(above)
    draw_parabolas(below)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=130)


if __name__ == "__main__":
    main()
