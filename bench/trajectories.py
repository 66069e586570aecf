"""Trajectories: memory beside length, stages side by side, and large frames on all cores."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from measure import compare, finish, parser, peak_memory, print_machine
from suite.structure_cases import hypers, silicon

from lpr_fast import SparseKernelModel, score_trajectory
from lpr_fast.reading._sources import Files, readable
from lpr_fast.writing import _extxyz

RATTLE = 0.05  # Å


def tiled(n_cells: int, seed: int, *, toy: bool) -> Atoms:
    """Liquid silicon repeated along all vectors, every atom of it somewhere else."""
    frame = silicon("trajectory", toy=toy)[-1].repeat(n_cells)
    frame.calc = None
    frame.positions += np.random.default_rng(seed).normal(scale=RATTLE, size=frame.positions.shape)
    return frame


def write(path: Path, n_frames: int, n_cells: int, *, toy: bool) -> int:
    """A trajectory of so many frames; returns its atoms."""
    n_atoms = 0
    with path.open("wb") as file:
        for seed in range(n_frames):
            frame = tiled(n_cells, seed, toy=toy)
            _extxyz.write_frame(file, frame, {})
            n_atoms += len(frame)
    return n_atoms


def print_memory(folder: Path, model: Path, *, toy: bool, million: bool) -> None:
    """Peak memory of processes that score more and more frames, and one frame that is larger and larger."""
    size = len(tiled(1, 0, toy=toy))
    print(f"\n{'frames':>8} {'atoms each':>11} {'cap':>6} {'peak memory, MB':>16} {'atoms/s':>8}  MB meanwhile")
    many = (2, 4) if toy else tuple(n // size for n in (10**4, 10**5, 10**6))
    large = (3,) if toy else (10, 25) if million else (10,)
    for n_frames, n_cells, cap in [*((n, 1, "none") for n in many), *((1, n, "2GB") for n in large)]:
        path = folder / "frames.xyz"
        n_atoms = write(path, n_frames, n_cells, toy=toy)
        command = [sys.executable, __file__, "--peak", str(model), str(path), cap]
        peak, seconds, *curve = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        rate = f"{n_atoms / float(seconds):.0f}"
        print(f"{n_frames:8} {n_atoms // n_frames:11} {cap:>6} {peak:>16} {rate:>8}  {' '.join(curve)}", flush=True)


def print_peak(model: str, path: str, cap: str) -> None:
    """Peak memory of this process when it has scored a trajectory, seconds, and memory meanwhile."""
    samples: list[int] = []
    over = threading.Event()

    def sample() -> None:
        is_over = False
        while not is_over:  # once at least, however short the run is
            samples.append(int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20)
            is_over = over.wait(0.05)

    watcher = threading.Thread(target=sample)
    watcher.start()
    start = time.perf_counter()
    score_trajectory(model, path, [path + ".h5", path + ".csv"], memory=None if cap == "none" else cap)
    seconds = time.perf_counter() - start
    over.set()
    watcher.join()
    curve = [samples[round(share * (len(samples) - 1))] for share in np.linspace(0.1, 1.0, 10)]
    print(peak_memory() >> 20, f"{seconds:.2f}", *curve)


def compare_stages(folder: Path, model: SparseKernelModel, repeats: int, *, toy: bool) -> None:
    """The whole way beside each stage alone; the slowest of them is the limit."""
    path = folder / "stages.xyz"
    n_atoms = write(path, 4 if toy else 800, 1, toy=toy)
    frames = list(readable(Files([str(path)])))
    pieces = list(model._pieces(frames, "error"))
    scores = model.score(frames)

    def writing() -> None:
        with (folder / "alone.extxyz").open("wb") as file:
            _extxyz.write_frames(file, frames, {"lpr": scores.lpr, "variance": scores.variance})

    jobs = {
        "scoring": lambda: [model._scores(piece, "error", 0) for piece in pieces],
        "reading": lambda: list(readable(Files([str(path)]))),
        "writing extended XYZ": writing,
        "all, from file to .h5 and .csv": lambda: score_trajectory(model, path, [folder / "s.h5", folder / "s.csv"]),
        "all, and extended XYZ": lambda: score_trajectory(
            model, path, [folder / "s.h5", folder / "s.csv", folder / "s.extxyz"]
        ),
    }
    compare(f"stages, {len(frames)} frames, {n_atoms} atoms", jobs, repeats)


def compare_large(folder: Path, model: SparseKernelModel, repeats: int, *, toy: bool) -> None:
    """One large frame: scoring by itself, and the whole way."""
    frame = tiled(2 if toy else 9, 0, toy=toy)
    path = folder / "large.xyz"
    with path.open("wb") as file:
        _extxyz.write_frame(file, frame, {})
    jobs = {
        "scoring": lambda: model.score(frame),
        "all, from file to .h5 and .csv": lambda: score_trajectory(model, path, [folder / "l.h5", folder / "l.csv"]),
    }
    compare(f"one frame of {len(frame)} atoms", jobs, repeats)


def fitted(path: Path, *, toy: bool) -> SparseKernelModel:
    """A model of the silicon that comes with the package."""
    training = silicon("train", toy=toy)
    model = SparseKernelModel.fit(training, hypers=hypers(toy), n_active=8 if toy else 500, regularizer=1e-3)
    model.save(path)
    return model


def main() -> None:
    """Print the tables, or a process's own part of one."""
    if sys.argv[1:2] == ["--peak"]:
        print_peak(*sys.argv[2:5])
        return
    takes = parser(__doc__)
    takes.add_argument("--million", action="store_true", help="one frame of a million atoms too: some minutes")
    takes.add_argument("--cases", default="memory,stages,large", help="which of them")
    options = takes.parse_args()
    print_machine(options.threads)
    cases = options.cases.split(",")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = fitted(folder / "silicon.lpr", toy=options.toy)
        if "memory" in cases:
            print_memory(folder, folder / "silicon.lpr", toy=options.toy, million=options.million)
        if "stages" in cases:
            compare_stages(folder, model, options.repeats, toy=options.toy)
        if "large" in cases:
            compare_large(folder, model, options.repeats, toy=options.toy)
    finish()


if __name__ == "__main__":
    main()
