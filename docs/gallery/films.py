"""Ten single-environment structures in a thousand
===============================================

Figure 7 of `Chong et al. <https://doi.org/10.1021/acs.jctc.3c00704>`__: in a training set of 1000 structures of
amorphous carbon, ten are replaced by strained crystals whose atoms are all equivalent. Atoms of films that resemble
these crystals are then predicted more rigidly.

.. image:: /gallery/films.png
   :alt: Rise of the LPR against the LPR before, for all atoms of the films and for those most similar to
         the added structures.
"""

# %%
# The calls to copy
# -----------------
#
# .. literalinclude:: /gallery/films.py
#    :language: python
#    :pyobject: recipe
#    :prepend: import numpy as np; from lpr_fast import Comparison, SparseKernelModel, TrainingRows, compare
#
# Settings
# --------
#
# .. list-table::
#    :widths: 20 80
#    :stub-columns: 1
#
#    * - training set
#      - 1000 of the 1629 cells of 64 atoms of C-GAP-20U, of all densities
#    * - replaced
#      - 10 by ``single_environment`` cells with strains up to 10 %: diamond; AA and ABC graphite in turn; 5 and 5. Each
#        is repeated to 64 atoms (graphite to as many as fit): cells of 2 atoms would do almost nothing to a loss on
#        totals
#    * - films
#      - dense: the snapshot of 4001 atoms, 3.30 g/cc; thin: 122 cells of 64 atoms below 2.1 g/cc, 57 of them slabs, all
#        from the test set
#    * - nearest
#      - the 100 atoms of all films together with the largest kernel to one of the added cells of a kind; 200 for both
#        kinds
#    * - model
#      - sparse kernel, zeta 4, mu = 10⁻² eV², 1000 active environments, no energies; SOAP with cutoff 3.7 Å, width 0.5
#        Å, 8 radial functions, l up to 8, like GAP-17 as far as it is known
#    * - loss
#      - on totals
#    * - active set
#      - that of the union, the same for all; "anew": chosen for each training set
#    * - errors
#      - of all 225 held-out 64-atom cells, for models with energies; the added structures are labelled crystals of
#        C-GAP-20U: strained diamond (8 atoms, repeated to 64), strained AB graphite (4 atoms, repeated to 64)
#    * - seeds
#      - draw the 1000 cells, the strains, the labelled crystals
#
# Numbers
# -------
#
# .. literalinclude:: /gallery/films.txt
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
#    * - diamond-like: + 31 % for the 100 nearest environments, in the dense film
#      - \+ 44 ± 5 %, all of them in the dense film; + 40 ± 5 % with active sets chosen anew
#    * - graphite-like: + 54 %, in the thin film
#      - \+ 11 ± 1 %, all in the thin structures; the same anew. **Less than in the paper**
#    * - both kinds: + 36 % for both hundreds
#      - \+ 23 ± 2 %; + 21 ± 2 % anew
#    * - SR variance down by up to 87 %
#      - by up to 82 ± 2 % (diamond), 69 ± 5 % (graphite), 80 ± 2 % (both)
#    * - % RMSE from 12 to at most 14 %
#      - 12.8 ± 1.0 % and 12.9 %, with labelled crystals
#
# The mean over all atoms of the films rises by at most 2 %: the added structures act on atoms that resemble them.
# Choosing the active set anew moves that mean by ± 0.7 %, so models are compared with the same active set.
#
# For graphite we also tried strains up to 5 % and 20 %, mu = 10⁻³ and 10⁻¹ eV², a loss per atom, and the primitive
# cells of 2 atoms, which do nothing (+ 3 %). The rise stayed below 20 %. The thin structures of the set are small cells
# and slabs that were quenched, and not films grown by deposition with large graphitic parts.
#
# The script
# ----------
#
# ``python docs/gallery/films.py`` runs a reduced size within minutes; ``--full`` runs the size of this page.

# sphinx_gallery_thumbnail_path = 'gallery/films.png'

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from common import COLOURS, Findings, Indices, Study, density, labels, read, repeated, soap

from lpr_fast import Comparison, SparseKernelModel, TrainingRows, compare, single_environment

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILES = ("carbon_gap20u_dft.xyz", "carbon_gap17test_dft.xyz", "big_aC_4001.xyz")
SETTINGS: dict[str, Any] = {"hypers": soap(3.7, width=0.5, max_angular=8), "zeta": 4, "regularizer": 1e-2}
ADDED = DIAMOND, GRAPHITE, BOTH = "diamond-like", "graphite-like", "both kinds"
NEAREST = 100
THIN = 2.1  # g/cc


@dataclass(frozen=True)
class Size:
    """Training structures, how many of them are replaced, active environments."""

    n_structures: int
    n_replaced: int
    n_active: int


def recipe(
    cells: list[Any], crystals: list[Any], sets: dict[str, Indices], films: list[Any], n_active: int, rows: Path
) -> dict[str, Comparison]:
    """Models of cells and crystals against that of cells alone, on films; numbers of crystals follow those of cells."""
    SparseKernelModel.fit([*cells, *crystals], **SETTINGS, n_active=n_active, energy_key=None, keep_rows=rows)
    kept = TrainingRows(rows)
    before = kept.fit(structures=np.arange(len(cells)))
    return {name: compare(before, kept.fit(structures=numbers), films) for name, numbers in sets.items()}


def with_own_active_sets(
    cells: list[Any], crystals: list[Any], sets: dict[str, Indices], films: list[Any], n_active: int
) -> dict[str, Comparison]:
    """The same, with active sets chosen anew."""

    def fitted(numbers: Indices) -> SparseKernelModel:
        frames = [[*cells, *crystals][number] for number in numbers]
        return SparseKernelModel.fit(frames, **SETTINGS, n_active=n_active, energy_key=None)

    before = fitted(np.arange(len(cells)))
    return {name: compare(before, fitted(numbers), films) for name, numbers in sets.items()}


def strained_crystals(n: int, seed: int) -> list[Any]:
    """Cells of at most 64 equivalent atoms: n of diamond, then n of graphite, AA and ABC in turn."""
    wanted: dict[str, Any] = {"n_atoms": 64, "max_strain": 0.1, "seed": seed}
    diamond = single_environment("diamond C", n, **wanted)
    layered = [single_environment(f"graphite-{kind} C", (n + 1) // 2, **wanted) for kind in ("AA", "ABC")]
    return [*diamond, *[cell for pair in zip(*layered, strict=True) for cell in pair][:n]]


@cache
def structures() -> tuple[list[Any], list[Any], list[Any]]:
    """Cells of 64 atoms: of the training set, held out; and labelled crystals, 174 of each kind, as 64 atoms."""
    labelled, held_out = ([frame for frame in read(name) if len(frame) in (4, 8, 64)] for name in FILES[:2])
    cells = {n: [frame for frame in labelled if len(frame) == n] for n in (4, 8, 64)}
    diamond = [repeated(frame, (2, 2, 2)) for frame in cells[8]]
    graphite = [repeated(frame, (4, 4, 1)) for frame in cells[4]]
    return cells[64], [frame for frame in held_out if len(frame) == 64], [*diamond, *graphite]


def training_sets(n: int, k: int) -> dict[str, Indices]:
    """Numbers of structures: n - k cells, and k crystals; there are k of either kind behind the n cells."""
    kept, diamond, graphite = np.arange(n - k), n + np.arange(k), n + k + np.arange(k)
    halves = np.concatenate([diamond[: k - k // 2], graphite[: k // 2]])
    return {name: np.append(kept, added) for name, added in zip(ADDED, (diamond, graphite, halves), strict=True)}


def measure(size: Size, seed: int) -> Findings:
    """Enhancement at one active set and at active sets of their own, and errors of models of labelled crystals."""
    found = Findings()
    pool, held_out, labelled = structures()
    rng = np.random.default_rng(seed)
    cells = [pool[i] for i in rng.permutation(len(pool))[: size.n_structures]]
    k = size.n_replaced
    crystals = strained_crystals(k, seed)
    sets = training_sets(len(cells), k)
    films = [*read(FILES[2]), *[frame for frame in held_out if density(frame) < THIN]]
    with TemporaryDirectory() as folder:
        fixed = recipe(cells, crystals, sets, films, size.n_active, Path(folder) / "films.rows")
    anew = with_own_active_sets(cells, crystals, sets, films, size.n_active)
    nearest = {
        name: fixed[DIAMOND].nearest(of_kind, NEAREST)
        for name, of_kind in ((DIAMOND, crystals[:k]), (GRAPHITE, crystals[k:]))
    }
    places = {
        name: np.append(0, np.cumsum([len(frame) for frame in films]))[atoms.frame] + atoms.atom
        for name, atoms in nearest.items()
    }
    places[BOTH] = np.concatenate([places[DIAMOND], places[GRAPHITE]])
    for what, comparisons in (("", fixed), ("anew, ", anew)):
        for name, comparison in comparisons.items():
            near = comparison.enhancement[places[name]]
            found.numbers[f"{what}{name}: LPR of the nearest, + %"] = 100 * near.mean()
            found.numbers[f"{what}{name}: LPR of all atoms, + %"] = 100 * comparison.enhancement.mean()
            found.numbers[f"{what}{name}: largest fall of the variance, %"] = 100 * (
                1 - comparison.variance_ratio.min()
            )
    for name, atoms in nearest.items():
        found.numbers[f"{name}: share of the dense film among the nearest"] = np.mean(atoms.frame == 0)
    measure_errors(cells, labelled, held_out, size, rng, found)
    found.drawn = {name: (c.lpr_a, c.enhancement + 1, places[name]) for name, c in fixed.items()}
    return found


def measure_errors(
    cells: list[Any], labelled: list[Any], held_out: list[Any], size: Size, rng: np.random.Generator, found: Findings
) -> None:
    """Errors of held-out cells, with labelled crystals of either kind in place of those that have no energies."""
    k, half = size.n_replaced, len(labelled) // 2
    drawn = [*rng.permutation(half)[:k], *(half + rng.permutation(half)[:k])]
    with TemporaryDirectory() as folder:
        rows = Path(folder) / "errors.rows"
        everything = [*cells, *[labelled[i] for i in drawn]]
        SparseKernelModel.fit(everything, **SETTINGS, n_active=size.n_active, keep_rows=rows)
        kept = TrainingRows(rows)
        energies = labels(held_out) / 64
        sets = {"before": np.arange(len(cells))} | training_sets(len(cells), k)
        for name, numbers in sets.items():
            errors = kept.fit(structures=numbers).predict(held_out).energy / 64 - energies
            found.numbers[f"{name}: sd of errors of held-out cells, % of theirs"] = 100 * errors.std() / energies.std()


def draw(figure: Figure, findings: list[Findings]) -> None:
    """Enhancement against LPR, all atoms and the nearest, at one active set; first seed."""
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    for axes, (name, (before, ratio, atoms)) in zip(panels, findings[0].drawn.items(), strict=True):
        axes.loglog(before, ratio, ".", ms=2, color="0.7", label="all atoms of the films")
        axes.loglog(before[atoms], ratio[atoms], ".", ms=4, color=COLOURS[1], label="the nearest")
        axes.set(title=name, xlabel="LPR before (loss on totals)")
    panels[0].set_ylabel("LPR after / before")
    panels[0].legend(frameon=False, markerscale=3)


STUDY = Study(
    __file__,
    recipe,
    measure,
    draw,
    reduced=Size(200, 2, 200),
    full=Size(1000, 10, 1000),
    n_seeds=(2, 10),
    needs=FILES,
    picture_inches=(11, 4),
)

if __name__ == "__main__":
    STUDY.main()
