"""A committee of ten from rows that were kept, beside the fit that kept them: seconds, and their ratio.

The structures are the first carbon ones of LPR_FAST_DATA; with --toy, cells of silicon.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import ase.io
from ase import Atoms
from measure import compare, finish, parser, print_machine
from rows import structures
from suite.structure_cases import hypers

from lpr_fast import Committee, SparseKernelModel, TrainingRows

DATA = Path(os.environ.get("LPR_FAST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def carbon(count: int) -> list[Atoms]:
    """Structures of all kinds, evenly taken from the file."""
    frames = list(ase.io.iread(DATA / "carbon_gap20u_dft.xyz"))
    return frames[:: len(frames) // count][:count]


def main() -> None:
    """Print seconds of both."""
    options = parser(__doc__)
    options.add_argument("--structures", type=int, default=1000, help="N")
    options.add_argument("--active", type=int, default=1000, help="M")
    given = options.parse_args()
    print_machine(given.threads)
    frames, n_active = (structures(20), 8) if given.toy else (carbon(given.structures), given.active)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.rows"

        def fit() -> None:
            SparseKernelModel.fit(
                frames,
                hypers=hypers(given.toy),
                n_active=n_active,
                regularizer=1e-2,
                keep_rows=path,
                n_threads=given.threads,
            )

        fit()
        rows = TrainingRows(path)
        compare(
            f"{len(frames)} structures, {sum(map(len, frames))} atoms, M = {n_active}",
            {
                "fit, rows kept": fit,
                "a model from rows": lambda: rows.fit(n_threads=given.threads),
                "a committee of ten from rows": lambda: Committee.fit(rows, 10, n_threads=given.threads),
            },
            given.repeats,
        )
    finish()


if __name__ == "__main__":
    main()
