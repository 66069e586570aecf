"""Figure 7: single-environment cells of carbon, in place of one training structure in a hundred.

python docs/gallery/films.py [--full] [--out FOLDER]
"""

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
