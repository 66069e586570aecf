"""A model from training rows that were kept, beside the fit that kept them: seconds, and their ratio."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from ase import Atoms
from measure import compare, finish, parser, print_machine
from suite.structure_cases import hypers

from lpr_fast import SparseKernelModel, TrainingRows


def structures(count: int) -> list[Atoms]:
    """Cells of eight atoms of silicon, each moved at random, with energies that are as good as any."""
    rng = np.random.default_rng(0)
    grid = np.array([[x, y, z] for x in (0, 2.7) for y in (0, 2.7) for z in (0, 2.7)])
    positions = grid + rng.normal(scale=0.25, size=(count, *grid.shape))
    return [Atoms("Si8", p, cell=[5.4] * 3, pbc=True, info={"energy": float(rng.normal())}) for p in positions]


def main() -> None:
    """Print seconds of both, and of a fit to half of the rows."""
    options = parser(__doc__)
    options.add_argument("--structures", type=int, default=2000, help="N")
    options.add_argument("--active", type=int, default=500, help="M")
    given = options.parse_args()
    count, n_active = (20, 8) if given.toy else (given.structures, given.active)
    print_machine(given.threads)
    frames, settings = structures(count), hypers(given.toy)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.rows"

        def fit() -> None:
            SparseKernelModel.fit(
                frames, hypers=settings, n_active=n_active, regularizer=1e-3, keep_rows=path, n_threads=given.threads
            )

        fit()
        rows = TrainingRows(path)
        half = np.arange(count) % 2 == 0
        compare(
            f"{count} structures of 8 atoms, M = {n_active}",
            {
                "fit, rows kept": fit,
                "from rows": lambda: rows.fit(n_threads=given.threads),
                "from half of the rows": lambda: rows.fit(structures=half, n_threads=given.threads),
            },
            given.repeats,
        )
    finish()


if __name__ == "__main__":
    main()
