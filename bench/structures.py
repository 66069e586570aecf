"""Structures: how memory grows with the frames, while a model is fitted and while it scores."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from ase import Atoms
from measure import arguments, finish, peak_memory, print_machine
from suite.structure_cases import hypers

from lpr_fast import SparseKernelModel


def disordered(n_structures: int, seed: int = 0) -> list[Atoms]:
    """Cells of 32 atoms of silicon, far from any lattice."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)[::2] * 2.4
    return [
        Atoms("Si32", grid + rng.normal(scale=0.25, size=grid.shape), cell=[9.6] * 3, pbc=True)
        for _ in range(n_structures)
    ]


def fit(frames: list[Atoms], *, toy: bool) -> SparseKernelModel:
    """A model without energies."""
    return SparseKernelModel.fit(frames, hypers=hypers(toy), n_active=12 if toy else 300, regularizer=1e-3)


def print_memory(*, toy: bool) -> None:
    """Peak memory of processes that fit to, and score, more and more structures that are made as they come."""
    print(f"\n{'structures':>10} {'atoms':>8} {'peak memory, MB: fit':>22} {'score':>8}")
    for n_structures in (2, 4) if toy else (100, 400, 1600):
        command = [sys.executable, __file__, "--peak", str(n_structures), str(int(toy))]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        print(f"{n_structures:10} {32 * n_structures:8} {printed[0]:>22} {printed[1]:>8}")


def print_peak(n_structures: int, *, toy: bool) -> None:
    """Peak memory, first of scoring, then with a fit to as many structures on top."""
    model = fit(disordered(4 if toy else 40), toy=toy)
    model.score(frame for seed in range(n_structures) for frame in disordered(1, seed))
    scored = peak_memory()
    fit(disordered(n_structures), toy=toy)
    print(peak_memory() >> 20, scored >> 20)


def main() -> None:
    """Print the table, or a process's own part of it."""
    if sys.argv[1:2] == ["--peak"]:
        print_peak(int(sys.argv[2]), toy=bool(int(sys.argv[3])))
        return
    options = arguments(__doc__)
    print_machine(options.threads)
    print_memory(toy=options.toy)
    finish()


if __name__ == "__main__":
    main()
