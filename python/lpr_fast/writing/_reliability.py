"""The reliability diagram: observed against expected shares of errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .._arrays import Array
from ..models._calibration import observed_fractions
from ._picture import COLOURS, panels_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Compared:
    """Errors and their standard deviations, of total energies or of force components.

    Attributes
    ----------
    title : str
        Name and number of the labels.
    what : str
        Name of one label.
    errors, sigmas : numpy.ndarray, shape (n,)
        Errors and standard deviations, in the same unit.
    """

    title: str
    what: str
    errors: Array
    sigmas: Array


def plot_reliability(compared: Sequence[Compared], title: str, target: Path) -> None:
    """Draw observed against expected shares of the errors, and the errors against their standard deviations."""
    with panels_of(target, 2 * len(compared)) as (figure, panels):
        for number, found in enumerate(compared):
            _draw_shares(panels[2 * number], found)
            _draw_errors(panels[2 * number + 1], found)
        figure.suptitle(f"{title}: {', '.join(found.title for found in compared)}", fontsize="medium")


def _draw_shares(panel: Axes, found: Compared) -> None:
    expected = np.linspace(0.0, 1.0, 101)
    panel.plot(expected, expected, color="0.6", linewidth=1.0)
    panel.plot(expected, observed_fractions(found.errors, found.sigmas, expected), color=COLOURS[0])
    panel.set(xlabel="expected share of errors within the interval", ylabel="observed share", aspect="equal")
    panel.set_title("Below the line: sigma is too small")


def _draw_errors(panel: Axes, found: Compared) -> None:
    panel.plot(
        found.sigmas, np.abs(found.errors), ".", color=COLOURS[1], markersize=6.0 if len(found.errors) < 1000 else 1.0
    )
    ends = np.array([found.sigmas.min(), found.sigmas.max()])
    panel.plot(ends, ends, color="0.6", linewidth=1.0)
    panel.set(
        xscale="log", yscale="log", xlabel=f"sigma of the {found.what}", ylabel=f"absolute error of the {found.what}"
    )
    panel.set_title("Two thirds should lie below the line")
