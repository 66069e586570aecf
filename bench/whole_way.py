"""Whole commands, from file to file, in turn with those of another environment: time, use of cores, peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from measure import finish, parser, print_machine
from suite.structure_cases import silicon

HERE = Path(sys.executable).with_name("lpr-fast")


@dataclass(frozen=True)
class Taken:
    """What a command took."""

    wall: float
    processor: float
    peak: float  # MB

    @property
    def use(self) -> float:
        """Share of all cores' time in which they computed."""
        return self.processor / self.wall / len(os.sched_getaffinity(0))


def run(command: list[str], folder: Path | None = None) -> Taken:
    """Run to the end, in a folder; threads that wait do not spin."""
    start = time.perf_counter()
    environment = os.environ | {"OMP_WAIT_POLICY": "passive"}
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, cwd=folder
    ) as process:
        assert process.stderr
        complaint = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: {complaint.decode()}")
    return Taken(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000)


def write_frames(folder: Path, *, toy: bool) -> dict[str, Path]:
    """One large frame and many small ones of disordered silicon, made from those of the package."""
    rng = np.random.default_rng(0)
    frames = silicon("trajectory", toy=toy)
    paths = {"one frame": folder / "one.xyz", "frames of 64": folder / "many.xyz"}
    n = 2 if toy else 25
    large = frames[-1].repeat((n, n, n))
    plain = Atoms(large.numbers, large.positions, cell=large.cell, pbc=True)
    plain.positions += rng.normal(scale=0.05, size=plain.positions.shape)
    ase.io.write(paths["one frame"], plain)
    with paths["frames of 64"].open("w") as file:
        for number in range(4 if toy else 15_625):
            frame = frames[number % len(frames)]
            moved = frame.positions + rng.normal(scale=0.05, size=frame.positions.shape)
            ase.io.write(file, Atoms(frame.numbers, moved, cell=frame.cell, pbc=True), format="extxyz")
    return paths


def commands(
    folder: Path, program: Path, paths: dict[str, Path], options: list[str], train: Path
) -> dict[str, list[str]]:
    """What is timed, for one environment."""
    tag = "here" if program == HERE else "there"
    model = str(folder / f"{tag}.lpr")
    subprocess.run([program, "fit", train, "-o", model, *options], check=True, capture_output=True)
    found = {
        f"score {name}": [str(program), "score", model, str(path), "-o", str(folder / f"{tag}.h5"), "--quiet"]
        for name, path in paths.items()
    }
    return found | {"fit": [str(program), "fit", str(train), "-o", str(folder / f"{tag}.again.lpr"), *options]}


def print_rows(title: str, taken: dict[Path, list[Taken]]) -> None:
    """Medians, and the ratio run by run."""
    for program, runs in taken.items():
        wall, processor = (np.median([getattr(t, name) for t in runs]) for name in ("wall", "processor"))
        print(
            f"{title:<22} {'this' if program == HERE else program!s:<40} {wall:8.2f} s  {processor:8.2f} s of cores  "
            f"use {100 * np.median([t.use for t in runs]):3.0f} %  peak {max(t.peak for t in runs):5.0f} MB"
        )
    if len(taken) == 2:
        here, there = taken.values()
        for what in ("wall", "processor"):
            ratios = [getattr(b, what) / getattr(a, what) for a, b in zip(here, there, strict=True)]
            name = {"wall": "time", "processor": "time of cores"}[what]
            print(f"{'':<22} ratio of {name}: {np.median(ratios):.2f} ({min(ratios):.2f} - {max(ratios):.2f})")


def main() -> None:
    """Print a table; with --before, another environment's commands run in turn with ours."""
    takes = parser(__doc__)
    takes.add_argument("--before", type=Path, help="the program lpr-fast of another environment")
    takes.add_argument("--train", type=Path, help="structures with energies to fit; by default the package's")
    takes.add_argument("--active", type=int, default=500)
    takes.add_argument("--cases", default="score one frame,score frames of 64,fit")
    options = takes.parse_args()
    print_machine(options.threads)
    programs = [HERE, *([options.before] if options.before else [])]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train = options.train
        if train is None:
            train = folder / "train.xyz"
            ase.io.write(train, silicon("train", toy=options.toy))
        paths = write_frames(folder, toy=options.toy) if "score" in options.cases else {}
        given = ["--n-active", str(8 if options.toy else options.active)]
        if options.toy:
            given += ["--max-radial", "2", "--max-angular", "2"]
        jobs = {program: commands(folder, program, paths, given, train) for program in programs}
        for case in options.cases.split(","):
            taken: dict[Path, list[Taken]] = {program: [] for program in programs}
            for _ in range(options.repeats):
                for program in programs:
                    taken[program].append(run(jobs[program][case]))
            print_rows(case, taken)
    finish()


if __name__ == "__main__":
    main()
