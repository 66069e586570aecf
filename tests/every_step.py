"""Kills runs before each call that changes what is on the disk, and resumes them: prints how many were killed.

``python -m tests.every_step FOLDER KIND``, where KIND is a key of ``RUNS``. Each run is a fork of a process that has
computed nothing, but has the radial table of the descriptor; it ends by ``os._exit``, after which nothing is tidied up.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Loaded here, once for all forks; some of it only because runs import it late.
import ase.io
import chemfiles  # noqa: F401
import featomic  # noqa: F401
import h5py  # noqa: F401

import lpr_fast.reading._formats
import lpr_fast.writing._outputs  # noqa: F401
from lpr_fast import fit_files, merge_shards, score_trajectory
from lpr_fast.atoms import _frames
from lpr_fast.descriptors import _soap
from lpr_fast.descriptors._hypers import checked_hypers
from lpr_fast.jobs import _fit_job, _job
from lpr_fast.writing._spool import Spool

from .structures import HYPERS, silicon

_KILLED = 9


def score(folder: Path) -> None:
    """A run into an appended file, one that is assembled, and chosen frames."""
    outputs = [folder / "md.h5", folder / "md.csv"]
    score_trajectory(folder.parent / "m.lpr", folder.parent / "md.xyz", outputs, least_rigid=2, groups="numbers")


def score_in_shards(folder: Path) -> None:
    """The same in shards; those that are merged already are not begun again."""
    outputs = [folder / "md.h5", folder / "md.csv"]
    if not (folder / "md.h5.journal").exists():
        for index in (1, 2):
            shard = f"{index}/2"
            score_trajectory(
                folder.parent / "m.lpr", folder.parent / "md.xyz", outputs, least_rigid=2, groups="numbers", shard=shard
            )
    merge_shards(outputs[0])


def fit(folder: Path) -> None:
    """A fit."""
    fit_files(folder.parent / "md.xyz", folder / "m.lpr", hypers=HYPERS, n_active=8, regularizer=1e-3, zeta=2)


RUNS = {run.__name__: run for run in (score, score_in_shards, fit)}


def ended(run: Callable[[Path], None], folder: Path, kill_at: int) -> int:
    """The exit code of a run that is killed before the call of this number."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        left = [kill_at]
        for owner, name in ((os, "fsync"), (os, "replace"), (os, "unlink"), (Spool, "write")):
            setattr(owner, name, counted(getattr(owner, name), left))
        run(folder)
    except BaseException as error:
        print(type(error).__name__, error, file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def sample_once(file: Path) -> None:
    """Have a fork sample the radial table, which changes nothing on the disk, and all others take it."""
    hypers = checked_hypers(HYPERS)
    assert ended(lambda path: path.write_bytes(pickle.dumps(_soap.radial_table(hypers))), file, 0) == 0
    table = pickle.loads(file.read_bytes())
    _soap.radial_table = lambda asked: {json.dumps(hypers): table}[json.dumps(asked)]


def counted(call: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    """A call that ends the process when it is its turn."""

    def counting(*arguments: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os._exit(_KILLED)
        return call(*arguments, **options)

    return counting


def contents(folder: Path) -> dict[str, bytes]:
    """All files but that with the time of the run."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".json"}


def main(folder: Path, run: Callable[[Path], None]) -> None:
    """Do it for one kind of run."""
    _job._BETWEEN_CHECKPOINTS = _fit_job._BETWEEN_CHECKPOINTS = _fit_job._CHECKPOINT_SHARE = 0.0
    _frames.BATCH_ATOMS = 32
    ase.io.write(folder / "md.xyz", silicon(8))
    sample_once(folder / "table")
    (folder / "model").mkdir()
    assert ended(fit, folder / "model", 0) == 0
    (folder / "model" / "m.lpr").rename(folder / "m.lpr")
    (folder / "whole").mkdir()
    assert ended(run, folder / "whole", 0) == 0
    kill_at, code = 0, _KILLED
    while code == _KILLED:
        kill_at += 1
        parts = folder / f"parts-{kill_at}"
        parts.mkdir()
        code = ended(run, parts, kill_at)
        again = ended(run, parts, 0) if code == _KILLED else code
        assert again == 0, kill_at
        assert contents(parts) == contents(folder / "whole"), (kill_at, list(contents(parts)))
    print(kill_at - 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), RUNS[sys.argv[2]])
