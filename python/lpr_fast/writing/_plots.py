"""Pictures of a file of scores."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .._species import symbol
from .._words import agreeing
from ..models._scores import LOSS_NAMES, VERDICTS
from ._picture import COLOURS, check_picture, panels_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ._histograms import Counts


def plot_scores(path: str | PathLike[str], output: str | PathLike[str] | None = None) -> Path:
    """Draw the LPR of each species, the lowest of each frame, the verdicts along the run, and LPR against residual.

    The file may hold any number of atoms: it is read in chunks. Atoms with infinite or NaN LPR are counted in the title
    and not drawn. Linear models have no residual, and models without a reference no verdicts.

    Parameters
    ----------
    path : path
        The HDF5 file that `score_trajectory` wrote.
    output : path, optional
        A ``.png``, ``.pdf`` or ``.svg`` file; by default ``.png`` beside `path`.

    Returns
    -------
    pathlib.Path
        The picture.

    Raises
    ------
    InvalidInputError
        For other files, files without any finite LPR, and other suffixes.
    """
    source = Path(path)
    target = source.with_suffix(".png") if output is None else Path(output)
    check_picture(target, [source])
    from ._histograms import counted

    counts = counted(source)
    draw = [_distribution, _along_the_run]
    draw += [] if counts.verdicts is None else [_verdicts_along]
    draw += [] if counts.of_residual is None else [_against_residual]
    with panels_of(target, len(draw)) as (figure, panels):
        loss = LOSS_NAMES[counts.loss]
        lpr = f"{'LPR held' if counts.rigidity == 'lpr_held' else 'LPR'} (loss on {loss})"
        for panel, draw_one in zip(panels, draw, strict=True):
            draw_one(panel, counts, lpr)
        figure.suptitle(_title(source.name, counts, loss), fontsize="medium")
    return target


def _title(name: str, counts: Counts, loss: str) -> str:
    n_frames, n_atoms = counts.n_frames, counts.n_atoms
    title = f"{name}: {n_frames:,} {agreeing(n_frames, 'frame', 'frames')}, "
    title += f"{n_atoms:,} {agreeing(n_atoms, 'atom', 'atoms')}; "
    title += f"model {counts.model_sha256[:12]}, loss on {loss}"
    left_out = {"infinite": counts.n_infinite, "NaN": counts.n_unknown}
    parts = [f"{n:,} {agreeing(n, 'atom', 'atoms')} of LPR {what}" for what, n in left_out.items() if n]
    return title + (f"\nnot drawn: {' and '.join(parts)}" if parts else "")


def _distribution(axes: Axes, counts: Counts, lpr: str) -> None:
    """Histogram of each species, in percent of its atoms."""
    edges = 10.0 ** counts.lpr_edges[::2]  # two bins as one: a curve needs fewer than a map
    for k, (species, found) in enumerate(sorted(counts.of_species.items())):
        colour, line = COLOURS[k % len(COLOURS)], ("-", "--", ":")[k // len(COLOURS) % 3]
        shares = 100.0 * found.reshape(-1, 2).sum(axis=1) / found.sum()
        label = f"{symbol(species)}, {found.sum():,} {agreeing(int(found.sum()), 'atom', 'atoms')}"
        axes.stairs(shares, edges, color=colour, alpha=0.25, fill=True)
        axes.stairs(shares, edges, color=colour, linestyle=line, label=label)
    axes.set(xscale="log", xlabel=lpr, ylabel="atoms of the species (%)")
    axes.set_title("Distribution, by species")
    n_columns = 1 + (len(counts.of_species) - 1) // 5
    n_rows = -(-len(counts.of_species) // n_columns)
    axes.set_ylim(0.0, axes.dataLim.y1 * (1.05 + 0.08 * n_rows))  # room for the legend
    axes.legend(frameon=False, loc="upper right", ncols=n_columns)


def _along_the_run(axes: Axes, counts: Counts, lpr: str) -> None:
    together = counts.frames_together
    marker = "." if len(counts.frames) <= 200 else ""
    axes.plot(counts.frames, counts.lowest, color=COLOURS[0], linewidth=1.0, marker=marker)
    axes.set(yscale="log", xlabel="frame", ylabel=f"lowest {lpr}")
    axes.set_title(
        "Least rigid atom of each frame" if together == 1 else f"Least rigid atom of every {together} frames"
    )
    axes.grid(alpha=0.3)


def _verdicts_along(axes: Axes, counts: Counts, lpr: str) -> None:  # noqa: ARG001
    """Stacked shares of the atoms."""
    assert counts.verdicts is not None
    shares = 100.0 * counts.verdicts / np.maximum(counts.verdicts.sum(axis=1, keepdims=True), 1)
    edges = np.append(counts.frames, counts.frames[-1] + counts.frames_together)
    below = np.zeros(len(shares))
    for name, colour in (("unlike", COLOURS[1]), ("loose", COLOURS[0])):
        top = below + shares[:, VERDICTS.index(name)]
        axes.stairs(top, edges, baseline=below, fill=True, color=colour, alpha=0.7, label=name)
        below = top
    axes.set(xlabel="frame", ylabel="atoms (%)", ylim=(0.0, 115.0), yticks=np.arange(0, 101, 20))
    together = counts.frames_together
    axes.set_title("Verdicts" if together == 1 else f"Verdicts of every {together} frames")
    axes.legend(frameon=False, loc="upper right", ncols=2)


def _against_residual(axes: Axes, counts: Counts, lpr: str) -> None:
    assert counts.of_residual is not None
    assert counts.residual_edges is not None
    from matplotlib.colors import LogNorm

    from ._histograms import SMALLEST_RESIDUAL

    found = np.ma.masked_equal(counts.of_residual, 0)
    x, y = 10.0**counts.residual_edges, 10.0**counts.lpr_edges
    mesh = axes.pcolormesh(
        x, y, found, norm=LogNorm(1, max(10, counts.of_residual.max())), cmap="viridis", rasterized=True
    )
    bar = axes.figure.colorbar(mesh, ax=axes, label="atoms per bin")
    bar.ax.yaxis.set_major_formatter("{x:,.0f}")
    clipped = counts.residual_edges[0] < np.log10(SMALLEST_RESIDUAL)
    note = f"; smaller values drawn at {SMALLEST_RESIDUAL:g}" if clipped else ""
    axes.set(xscale="log", yscale="log", ylabel=lpr)
    axes.set_xlabel(f"residual (prior variance = 1{note})")
    axes.set_title("LPR against residual")
