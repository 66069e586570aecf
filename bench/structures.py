"""Structures: what elimination of species saves, where the time goes, and how memory grows with the frames."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from time import perf_counter

import numpy as np
from ase import Atoms
from measure import arguments, compare, finish, print_machine

from lpr_fast import SparseKernelModel

ELEMENTS = ("Si", "Ge", "C", "Sn")


def hypers(toy: bool) -> dict[str, object]:  # noqa: FBT001
    """SOAP as the command line has it, or a small one."""
    max_angular, max_radial = (2, 1) if toy else (6, 7)
    return {
        "cutoff": {"radius": 4.5, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
        "density": {"type": "Gaussian", "width": 0.4},
        "basis": {
            "type": "TensorProduct",
            "max_angular": max_angular,
            "radial": {"type": "Gto", "max_radial": max_radial},
        },
    }


def alloys(n_structures: int, n_species: int, seed: int = 0) -> list[Atoms]:
    """Cells of 32 atoms, disordered in positions and species, with equal numbers of each."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)[::2] * 2.4
    symbols = [ELEMENTS[i % n_species] for i in range(len(grid))]
    return [
        Atoms(rng.permutation(symbols), grid + rng.normal(scale=0.25, size=grid.shape), cell=[9.6] * 3, pbc=True)
        for _ in range(n_structures)
    ]


def eliminated(model: SparseKernelModel, x: np.ndarray, species: np.ndarray) -> list[np.ndarray]:
    """Rigidities by the factor of each atom's own species."""
    local = model._local
    return [local.factors[s].lpr(local.basis.rows(s, x[species == s], 0)) for s in model.species]


def compare_elimination(*, toy: bool, repeats: int) -> None:
    """Scoring from features, with one factor for each species and with the factor of all."""
    n_active, n_structures = (12, 4) if toy else (1000, 60)
    for n_species in (1, 2, 4):
        frames = alloys(n_structures, n_species)
        model = SparseKernelModel.fit(frames, hypers=hypers(toy), n_active=n_active, regularizer=1e-3)
        x, species = model.features(frames), np.concatenate([frame.numbers for frame in frames])
        jobs = {
            "one factor for each species": lambda m=model, x=x, s=species: eliminated(m, x, s),
            "the factor of all": lambda m=model, x=x, s=species: m.rigidity.lpr(m._local.phi(x, s, 0)),
        }
        compare(f"{n_species} species, M = {n_active}, D = {x.shape[1]}, {len(x)} atoms", jobs, repeats)


def share_of_stages(*, toy: bool) -> None:
    """Seconds of describing and of scoring, as `score` does both."""
    frames = alloys(4 if toy else 100, 1)
    model = SparseKernelModel.fit(frames, hypers=hypers(toy), n_active=12 if toy else 1000, regularizer=1e-3)
    start = perf_counter()
    x = model.features(frames)
    described = perf_counter()
    model._local.score(x, np.concatenate([frame.numbers for frame in frames]), 0)
    seconds = described - start, perf_counter() - described
    share = [f"{part:.3g} s ({part / sum(seconds):.0%})" for part in seconds]
    print(f"\n{len(x)} atoms, M = {model.rigidity.size}: descriptors {share[0]}, scoring {share[1]}")


def memory(*, toy: bool) -> None:
    """Peak memory of processes that fit to, and score, more and more structures that are made as they come."""
    print(f"\n{'structures':>10} {'atoms':>8} {'peak memory, MB: fit':>22} {'score':>8}")
    for n_structures in (2, 4) if toy else (100, 400, 1600):
        command = [sys.executable, __file__, "--peak", str(n_structures), str(int(toy))]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        print(f"{n_structures:10} {32 * n_structures:8} {printed[0]:>22} {printed[1]:>8}")


def peak_megabytes() -> int:
    """Largest memory of this process so far; getrusage would begin with that of the process which started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def print_peak(n_structures: int, *, toy: bool) -> None:
    """Peak memory, first of scoring, then with a fit to as many structures on top."""
    few = alloys(4 if toy else 40, 1)
    model = SparseKernelModel.fit(few, hypers=hypers(toy), n_active=12 if toy else 300, regularizer=1e-3)
    frames = (frame for seed in range(n_structures) for frame in alloys(1, 1, seed))
    model.score(frames)
    scored = peak_megabytes()
    SparseKernelModel.fit(alloys(n_structures, 1), hypers=hypers(toy), n_active=12 if toy else 300, regularizer=1e-3)
    print(peak_megabytes(), scored)


def main() -> None:
    """Print all tables."""
    if sys.argv[1:2] == ["--peak"]:
        print_peak(int(sys.argv[2]), toy=bool(int(sys.argv[3])))
        return
    options = arguments(__doc__)
    print_machine(options.threads)
    compare_elimination(toy=options.toy, repeats=options.repeats)
    share_of_stages(toy=options.toy)
    memory(toy=options.toy)
    finish()


if __name__ == "__main__":
    main()
