"""The picture of the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .._arrays import Array
from ..atoms._pipeline import Scores

_COLOURS = ("#0072B2", "#D55E00")  # Okabe and Ito: distinct for all common kinds of colour vision


def draw(path: Path, trajectory: list[Atoms], coordination: NDArray[np.int64], scores: Scores) -> None:
    """Draw LPR and residual against coordination, and the LPR along the run."""
    assert scores.residual is not None
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 1.15))
    _strips(left, coordination, scores.lpr, _COLOURS[0])
    left.set(yscale="log", xlabel="neighbours within 2.85 Å", ylabel="LPR (loss on total energies)")
    left.set_title("How firmly the data determine\neach atom's energy")
    _strips(middle, coordination, np.maximum(scores.residual, 1e-6), _COLOURS[1])
    middle.set(yscale="log", xlabel="neighbours within 2.85 Å", ylabel="residual (prior variance = 1)")
    middle.set_title("How unlike the active set\neach atom is")
    _along_the_run(right, trajectory, scores)
    figure.savefig(path, dpi=150)


def _strips(axes: Any, coordination: NDArray[np.int64], values: Array, colour: str) -> None:
    """Draw all atoms as dots, spread by a fixed pattern, and medians as bars."""
    for count in np.unique(coordination):
        chosen = values[coordination == count]
        spread = 0.36 * (2 * np.mod(np.arange(len(chosen)) * 0.6180339887, 1.0) - 1)
        axes.plot(count + spread, chosen, ".", color=colour, markersize=3, alpha=0.35, markeredgewidth=0)
        axes.hlines(np.median(chosen), count - 0.4, count + 0.4, color="black", linewidth=1.5)
    axes.set_xticks(np.unique(coordination))


def _along_the_run(axes: Any, trajectory: list[Atoms], scores: Scores) -> None:
    time = np.array([frame.info["time"] for frame in trajectory])
    temperature = np.array([frame.info["temperature"] for frame in trajectory])
    of_frame = [scores.lpr[scores.frame == number] for number in range(len(trajectory))]
    low, middle, high = np.array([np.quantile(lpr, (0.0, 0.5, 1.0)) for lpr in of_frame]).T
    axes.fill_between(time, low, high, color=_COLOURS[0], alpha=0.2, linewidth=0, label="all atoms")
    axes.plot(time, middle, color=_COLOURS[0], label="median")
    axes.plot(time, low, color=_COLOURS[0], linestyle=":", label="lowest")
    axes.set(yscale="log", xlabel="time (ps)", ylabel="LPR along the run")
    axes.legend(frameon=False, loc="lower left")
    top = axes.secondary_xaxis(
        "top", functions=(lambda t: np.interp(t, time, temperature), lambda T: np.interp(T, temperature, time))
    )
    top.set(xlabel="thermostat (K)", xticks=np.linspace(temperature[0], temperature[-1], 4).round(-2))
