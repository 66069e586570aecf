"""A picture of the choice of the regularizer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..models._regularizer import RegularizerChoice
from ._picture import COLOURS, check_picture, panels_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_choice(choice: RegularizerChoice, output: Path, sources: list[Path]) -> Path:
    """Draw errors and evidence against mu, and the error against the size of the active set, if there is one."""
    check_picture(output, sources)
    with panels_of(output, 3 if choice.sizes else 2) as (_, panels):
        _errors(panels[0], choice)
        _evidence(panels[1], choice)
        if choice.sizes:
            _sizes(panels[2], choice)
    return output


def _errors(axes: Axes, choice: RegularizerChoice) -> None:
    found = choice.left_out
    axes.plot(found.regularizers, found.rmse, color=COLOURS[0], label="leave-one-out")
    axes.plot(found.regularizers, found.training_rmse, color=COLOURS[1], linestyle="--", label="training")
    axes.axhline(found.spread, color=COLOURS[6], linewidth=0.8, linestyle=":", label="baseline alone")
    axes.plot([choice.regularizer], [choice.rmse], "o", color=COLOURS[0])
    axes.set(xscale="log", yscale="log", xlabel="regularizer mu", ylabel="error per atom (unit of the energies)")
    axes.set_ylim(bottom=0.1 * np.nanmin(found.rmse))  # below, training errors vanish
    axes.set_title(f"Errors; lowest leave-one-out error at {choice.regularizer:.3g}")
    axes.legend(frameon=False)


def _evidence(axes: Axes, choice: RegularizerChoice) -> None:
    found = choice.left_out
    axes.plot(found.regularizers, -0.5 * found.minus_twice_log_evidence, color=COLOURS[2])
    axes.axvline(choice.evidence, color=COLOURS[2], linewidth=0.8, linestyle=":")
    axes.axvline(choice.regularizer, color=COLOURS[0], linewidth=0.8, linestyle=":")
    axes.set(xscale="log", xlabel="regularizer mu", ylabel="log evidence")
    axes.set_title(f"Evidence; maximum at {choice.evidence:.3g}")


def _sizes(axes: Axes, choice: RegularizerChoice) -> None:
    axes.plot(np.array(choice.sizes), np.array(choice.error_of_size), "o-", color=COLOURS[0])
    axes.set(xscale="log", xlabel="size of the active set", ylabel="leave-one-out error per atom")
    axes.set_ylim(bottom=0.0)
    axes.set_xticks(choice.sizes, [str(size) for size in choice.sizes])
    axes.set_xticks([], minor=True)
    axes.set_title("Error against M")
