"""Influence of every training structure of silicon, beside one refit: seconds, errors against refits, odd labels."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from measure import compare, finish, parser, print_machine
from suite.structure_cases import hypers

from lpr_fast import Influence, SparseKernelModel, TrainingRows

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("LPR_FAST_DATA", ROOT.parent / "shared" / "data"))
SIGMA = {"energy": 0.05, "force": 0.05}


def structures(is_toy: bool) -> list[Atoms]:  # noqa: FBT001
    """Silicon of mlearn in an order drawn with seed 0; cells of eight atoms moved at random as a toy."""
    if not is_toy:
        frames = ase.io.read(DATA / "si_mlearn.xyz", ":")
        return [frames[i] for i in np.random.default_rng(0).permutation(len(frames))]
    rng, frames = np.random.default_rng(0), []
    for _ in range(14):
        frame = Atoms("Si8", rng.random((8, 3)) * 5.4, cell=[5.4] * 3, pbc=True)
        frame.info["energy"], frame.arrays["forces"] = rng.normal(), rng.normal(size=(8, 3))
        frames.append(frame)
    return frames


def errors(rows: TrainingRows, targets: list[Atoms], found: Influence, blocks: list[int]) -> float:
    """Largest relative difference of variances from refits, over blocks."""
    model, worst = rows.fit(baseline="kept"), 0.0
    phi = model.phi(targets)
    now = model.rigidity.lpr(phi)
    for block in blocks:
        others = np.setdiff1d(np.arange(rows.n_structures), [block])
        after = rows.fit(structures=others, baseline="kept").rigidity.lpr(phi)
        assert found.increase is not None
        worst = max(worst, float(np.abs((found.increase[block] + 1.0) * after / now - 1.0).max()))
    return worst


def odd(rows: TrainingRows, targets: list[Atoms], frames: list[Atoms]) -> None:
    """Say which labels the others do not expect."""
    labels = rows.influence(targets).labels
    assert labels is not None
    print("\ntypical error over what is expected:", {k: round(v, 2) for k, v in labels.spread.items()})
    for structure in labels.suspicious()[:8].tolist():
        said = frames[structure].info.get("description", "a toy")
        print(f"{labels.suspicion[structure]:6.1f} times as far off as typical: {said}")


def main() -> None:
    """Print seconds of both, the error, and the structures with odd labels."""
    options = parser(__doc__)
    options.add_argument("--active", type=int, default=200, help="M")
    given = options.parse_args()
    print_machine(given.threads)
    frames = structures(given.toy)
    train, targets = (frames[:10], frames[10:]) if given.toy else (frames[:150], frames[150:160])
    settings: dict[str, Any] = {"hypers": hypers(given.toy), "zeta": 4, "sigma": SIGMA, "delta": 2.0}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        path, n_active = Path(folder) / "si.rows", 8 if given.toy else given.active
        SparseKernelModel.fit(train, n_active=n_active, keep_rows=path, n_threads=given.threads, **settings)
        rows = TrainingRows(path)
        others = np.arange(1, len(train))
        compare(
            f"{len(train)} structures, {len(rows)} rows, {sum(map(len, targets))} targets, M = {n_active}",
            {
                "one refit": lambda: rows.fit(structures=others, baseline="kept", n_threads=given.threads),
                "influence of all": lambda: rows.influence(targets, n_threads=given.threads),
            },
            given.repeats,
        )
        found = rows.influence(targets)
        order = np.argsort(-found.largest_increase)[[0, 1, len(train) // 2, -1]].tolist()
        worst = errors(rows, targets, found, order)
        print(f"\nfitted anew: {int(found.is_refitted.sum())}; error of variances: {worst:.1e}")
        odd(rows, targets, train)
    finish()


if __name__ == "__main__":
    main()
