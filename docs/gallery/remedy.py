"""The remedy: structures that pin down loose atoms
================================================

`Chong et al. <https://doi.org/10.1021/acs.jctc.3c00704>`__ advise to add structures of one environment, and to
represent everything of interest. ``suggest`` says beforehand which structures to add. Here it chooses for the loosest
atoms of a snapshot of 64,000, and a refit checks its prediction.

.. image:: /gallery/remedy.png
   :alt: Variance of the loosest atoms after each added structure, for suggested, random and farthest-point
         choices; LPR of each of these atoms before and after.
"""

# %%
# The calls to copy
# -----------------
#
# .. literalinclude:: /gallery/remedy.py
#    :language: python
#    :pyobject: recipe
#    :prepend: from lpr_fast import SparseKernelModel, Suggestion, TrainingRows, suggest
#
# Settings
# --------
#
# .. list-table::
#    :widths: 20 80
#    :stub-columns: 1
#
#    * - training set
#      - 1000 of the 1629 cells of 64 atoms of C-GAP-20U
#    * - targets
#      - the 1000 atoms of lowest LPR in the snapshot of 64,000 atoms, 3.00 g/cc; objective: their mean variance
#    * - candidates
#      - 80 strained crystals of one environment (ten each of diamond, AA and ABC graphite, graphene, sc, fcc, bcc, hcp,
#        up to 64 atoms), and 300 unlabelled structures of 48 to 64 atoms of C-GAP-20U: nanotubes, fullerenes, crystals,
#        slabs
#    * - chosen
#      - 10; compared with 20 random choices of 10, and 10 farthest points
#    * - model
#      - sparse kernel, zeta 4, mu = 10⁻² eV², 1000 active environments, no energies; SOAP with cutoff 3.7 Å, width 0.5
#        Å, 8 radial functions, l up to 8
#    * - loss
#      - on totals: large candidates weigh more, so all have about 64 atoms
#    * - active set
#      - that of the training set, for the prediction and the refit; "anew": chosen from the training set and the added
#        structures
#    * - seeds
#      - draw the training set, the candidates of the pool, the strains
#
# Numbers
# -------
#
# .. literalinclude:: /gallery/remedy.txt
#    :language: text
#
# Compared with the paper
# -----------------------
#
# .. list-table::
#    :widths: 30 70
#    :header-rows: 1
#
#    * - paper
#      - here
#    * - add structures of one environment
#      - half of the chosen structures are strained crystals, the other half come from the pool
#    * - (not shown)
#      - ten structures in a thousand take 8.3 ± 0.7 % off the variance of the loosest atoms, as predicted and, to
#        10⁻¹², as measured after the refit; the best of 20 random choices 3.1 ± 0.6 %, their mean 1.3 ± 0.1 %, farthest
#        points 1.8 ± 0.4 %
#    * - (not shown)
#      - with an active set chosen anew 7.6 ± 1.2 %: this tells what a prediction for a fixed active set is worth
#
# No atom of the snapshot is blind: every atom is close to the active set of amorphous carbon.
#
# The script
# ----------
#
# ``python docs/gallery/remedy.py`` runs a reduced size within minutes; ``--full`` runs the size of this page.

# sphinx_gallery_thumbnail_path = 'gallery/remedy.png'

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from common import COLOURS, Findings, Study, read, soap

from lpr_fast import SparseKernelModel, Suggestion, TrainingRows, single_environment, suggest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILES = ("carbon_gap20u_dft.xyz", "carbon_gap20u_unlabelled.xyz", "big_aC_4001.xyz", "big_aC_64000.xyz")
SETTINGS: dict[str, Any] = {
    "hypers": soap(3.7, width=0.5, max_angular=8),
    "zeta": 4,
    "regularizer": 1e-2,
    "energy_key": None,
}
CRYSTALS = ("diamond C", "graphite-AA C", "graphite-ABC C", "graphene C", "sc C", "fcc C", "bcc C", "hcp C")
WAYS = ("suggested", "random, best of 20", "random, mean of 20", "farthest points")


@dataclass(frozen=True)
class Size:
    """Training structures, active environments, the snapshot; candidates of the pool, and crystals of each kind."""

    n_structures: int
    n_active: int
    snapshot: str
    n_loosest: int
    n_pool: int
    n_crystals: int
    n_chosen: int


def recipe(
    cells: list[Any], candidates: list[Any], film: list[Any], size: Size, rows: Path
) -> tuple[Suggestion, float]:
    """Candidates for the loosest atoms of a film; the mean LPR of these after a refit with the chosen ones."""
    model = SparseKernelModel.fit(cells, **SETTINGS, n_active=size.n_active, keep_rows=rows)
    suggestion = suggest(
        model, film, candidates, size.n_chosen, sources="source", loosest=size.n_loosest, objective="mean"
    )
    kept = TrainingRows(rows)
    kept.append(suggestion.frames())
    return suggestion, suggestion.measured(kept.fit(), film)


@cache
def structures() -> tuple[list[Any], list[Any]]:
    """Cells of 64 atoms to train on; unlabelled structures of 48 to 64 atoms."""
    cells, pool = (read(name) for name in FILES[:2])
    for frame in pool:
        frame.info["source"] = "pool"
    return [f for f in cells if len(f) == 64], [f for f in pool if 48 <= len(f) <= 64]


def crystals(n: int, seed: int) -> list[Any]:
    """Strained crystals of one environment, n of each kind."""
    found = [single_environment(name, n, n_atoms=64, max_strain=0.1, seed=seed) for name in CRYSTALS]
    for of_kind in found:
        for frame in of_kind:
            frame.info["source"] = frame.info["config_type"]
    return [frame for of_kind in found for frame in of_kind]


def measure(size: Size, seed: int) -> Findings:
    """What each way to choose takes off the variance of the loosest atoms, as predicted and as measured."""
    found = Findings()
    rng = np.random.default_rng(seed)
    pool, unlabelled = structures()
    cells = [pool[i] for i in rng.permutation(len(pool))[: size.n_structures]]
    offered = [unlabelled[i] for i in rng.permutation(len(unlabelled))[: size.n_pool]]
    candidates = [*crystals(size.n_crystals, seed), *offered]
    film = read(size.snapshot)
    with TemporaryDirectory() as folder:
        suggestion, measured = recipe(cells, candidates, film, size, Path(folder) / "remedy.rows")
    say(suggestion, measured, found)
    anew = SparseKernelModel.fit([*cells, *suggestion.frames()], **SETTINGS, n_active=size.n_active)
    found.numbers["taken off, active set chosen anew, measured, %"] = 100 * (
        1 - suggestion.lpr[0] / suggestion.measured(anew, film)
    )
    return found


def say(suggestion: Suggestion, measured: float, found: Findings) -> None:
    """Shares of the variance that the choices take off."""
    removed = [suggestion.share_removed(choice) for choice in suggestion.random]
    shares = (1 - suggestion.lpr[0] / suggestion.lpr[-1], max(removed), np.mean(removed))
    for way, share in zip(WAYS, (*shares, suggestion.share_removed(suggestion.farthest)), strict=True):
        found.numbers[f"taken off the variance, {way}, predicted, %"] = 100 * share
    found.numbers["taken off the variance, suggested, measured, %"] = 100 * (1 - suggestion.lpr[0] / measured)
    found.numbers["predicted over measured LPR, less 1"] = abs(suggestion.lpr[-1] / measured - 1)
    ratio = suggestion.followed_after / suggestion.followed_now
    found.numbers["LPR of the loosest atoms, median, times"] = np.median(ratio)
    found.numbers["LPR of the loosest atoms, largest, times"] = ratio.max()
    of_pool = np.array([suggestion.sources[number] == "pool" for number in suggestion.chosen])
    found.numbers["share of the pool among the chosen"] = of_pool.mean()
    found.numbers["share of blind atoms, %"] = 100 * suggestion.blind.mean()
    found.drawn = {"lpr": suggestion.lpr, "now": suggestion.followed_now, "after": suggestion.followed_after}


def draw(figure: Figure, findings: list[Findings]) -> None:
    """The variance after each choice, all seeds; the loosest atoms before and after, first seed."""
    left, right = figure.subplots(1, 2)
    for found in findings:
        left.plot(100 * found.drawn["lpr"][0] / found.drawn["lpr"], color=COLOURS[0], alpha=0.6)
    for way, colour in zip(WAYS[1:], COLOURS[1:], strict=True):
        taken = np.array([found.numbers[f"taken off the variance, {way}, predicted, %"] for found in findings])
        left.plot(np.full(len(taken), len(findings[0].drawn["lpr"]) - 1), 100 - taken, "o", color=colour, label=way)
    left.plot([], [], color=COLOURS[0], label=WAYS[0])
    left.set(xlabel="structures added", ylabel="mean variance of the loosest atoms, %")
    left.legend(frameon=False)
    now, after = (findings[0].drawn[when] for when in ("now", "after"))
    right.loglog(now, after / now, ".", ms=3, color=COLOURS[0])
    right.set(xlabel="LPR now (loss on totals)", ylabel="LPR with the chosen structures, times")


STUDY = Study(
    __file__,
    recipe,
    measure,
    draw,
    reduced=Size(150, 200, FILES[2], 200, 60, 2, 5),
    full=Size(1000, 1000, FILES[3], 1000, 300, 10, 10),
    n_seeds=(2, 5),
    needs=FILES,
)

if __name__ == "__main__":
    STUDY.main()
