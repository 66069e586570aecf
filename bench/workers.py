"""Workers: two processes of one thread beside one, for the same trajectory and the same files."""

from __future__ import annotations

import os
import shutil
import tempfile
from concurrent.futures import Executor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from time import perf_counter

import ase.io
from measure import arguments, compare, finish, print_machine
from structures import disordered, fit

from lpr_fast import score_trajectory
from lpr_fast.jobs import _workers
from lpr_fast.jobs._executors import local_processes


def start(count: int, until: ExitStack) -> Executor:
    """So many workers, and the seconds until the first of them is there."""
    begin = perf_counter()
    executor = until.enter_context(local_processes(count))
    executor.submit(os.getpid).result()
    print(f"start-up of {count} worker{'s' * (count > 1)}: {perf_counter() - begin:.2f} s, not counted below")
    return executor


def score(folder: Path, executor: Executor | None) -> None:
    """The whole run, with reading through the file and merging, into files that were not there before."""
    target = Path(tempfile.mkdtemp(dir=folder))
    score_trajectory(folder / "m.lpr", folder / "md.xyz", [target / "md.h5", target / "md.csv"], executor=executor)
    shutil.rmtree(target)


def main() -> None:
    """Print seconds and ratios."""
    options = arguments(__doc__)
    print_machine(options.threads)
    print("one thread in each worker")
    n_frames = 40 if options.toy else 4000
    with ExitStack() as until:
        folder = Path(until.enter_context(tempfile.TemporaryDirectory()))
        fit(disordered(4 if options.toy else 40), toy=options.toy).save(folder / "m.lpr")
        ase.io.write(folder / "md.xyz", disordered(n_frames))
        if options.toy:
            _workers._ATOMS_OF_RANGE = 320
        print(f"{n_frames} frames of 32 atoms, in ranges of {_workers._ATOMS_OF_RANGE} atoms")
        jobs = {f"{n} workers" if n > 1 else "1 worker": partial(score, folder, start(n, until)) for n in (1, 2)}
        jobs["no workers, all cores"] = partial(score, folder, None)
        compare("a trajectory into HDF5 and a table", jobs, options.repeats)
    finish()


if __name__ == "__main__":
    main()
