"""The reliability diagram: how many errors of totals lie where their standard deviations say."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .._arrays import Array
from ..models._calibration import observed_fractions
from ._picture import COLOURS, panels_of


def plot_reliability(errors: Array, sigmas: Array, title: str, target: Path) -> None:
    """Draw observed against expected shares of the errors, and the errors against their standard deviations."""
    expected = np.linspace(0.0, 1.0, 101)
    with panels_of(target, 2) as (figure, (shares, scatter)):
        shares.plot(expected, expected, color="0.6", linewidth=1.0)
        shares.plot(expected, observed_fractions(errors, sigmas, expected), color=COLOURS[0])
        shares.set(xlabel="expected share of errors within the interval", ylabel="observed share", aspect="equal")
        shares.set_title("Below the line: sigma is too small")
        scatter.plot(sigmas, np.abs(errors), ".", color=COLOURS[1])
        ends = np.array([sigmas.min(), sigmas.max()])
        scatter.plot(ends, ends, color="0.6", linewidth=1.0)
        scatter.set(xscale="log", yscale="log", xlabel="sigma of the total", ylabel="absolute error of the total")
        scatter.set_title("Two thirds should lie below the line")
        figure.suptitle(title, fontsize="medium")
