"""Training set and trajectory of a system as files, for the command line: ``python -m melts.files InP FOLDER``."""

from __future__ import annotations

import argparse
from pathlib import Path

import ase.io
from ase import Atoms

from .potentials import Array
from .systems import made, recipes

# Frames of the crystal at the temperatures of training with which the trajectory begins.
_N_ALIKE = 20


def labelled(frame: Atoms, energies: Array) -> Atoms:
    """A structure with the total of its atoms' energies."""
    copy = frame.copy()
    copy.info = {"energy": float(energies.sum())}
    return copy


def main() -> None:
    """Write FOLDER/SYSTEM_train.xyz and FOLDER/SYSTEM_md.xyz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--toy", action="store_true", help="copper and gold, few and small frames")
    given = parser.parse_args()
    system = made(recipes(toy=given.toy)[given.system], given.seed)
    training = [labelled(*pair) for pair in zip(system.training, system.energies["training"], strict=True)]
    run = [frame.copy() for frame in [*system.alike[:_N_ALIKE], *system.hot, *system.melt]]
    for frame in run:
        frame.info = {}
    for name, frames in (("train", training), ("md", run)):
        path = given.folder / f"{given.system}_{name}.xyz"
        ase.io.write(path, frames, format="extxyz")
        print(f"written {path}: {len(frames)} frames, {sum(map(len, frames))} atoms")


if __name__ == "__main__":
    main()
