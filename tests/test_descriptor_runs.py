"""Runs with descriptors of any kind: every output, shards, workers, restarts, the command line, and ASE."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ase.io
import h5py
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.lj import LennardJones
from ase.md.verlet import VelocityVerlet

from lpr_fast import (
    InvalidInputError,
    LprCalculator,
    LprObserver,
    SparseKernelModel,
    StructureModel,
    Trigger,
    fit_files,
    load_model,
    merge_shards,
    score_trajectory,
)
from lpr_fast.jobs._executors import local_processes

from .describing import FILE, SHELLS, carrying, shells
from .processes import killed
from .structures import gallium_arsenide, silicon
from .test_command_line import run, succeed

SINKS = ("h5", "csv", "extxyz", "npz", "chemiscope.json")


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    return carrying([*gallium_arsenide(4), *silicon(4)])


@pytest.fixture(params=["array", "function", "object in a file"])
def case(request: pytest.FixtureRequest, frames: list[Atoms], tmp_path: Path) -> tuple[StructureModel, Any]:
    """A model, and what is given with its file; the folder has training set, trajectory, model and descriptor."""
    ase.io.write(tmp_path / "train.extxyz", frames)
    ase.io.write(tmp_path / "md.extxyz", carrying([*silicon(9, seed=70), *gallium_arsenide(9, seed=80)]))
    (tmp_path / "toy.py").write_text(FILE)
    kinds = {"array": "features", "function": shells, "object in a file": f"{tmp_path / 'toy.py'}:here"}
    descriptor = kinds[request.param]
    model = fit_files(
        tmp_path / "train.extxyz", tmp_path / "m.lpr", descriptor=descriptor, n_active=12, regularizer=1e-3
    )
    return model, None if request.param == "array" else descriptor


def outputs(folder: Path, name: str) -> list[Path]:
    (folder / name).mkdir()
    return [folder / name / f"md.{suffix}" for suffix in SINKS]


def contents(paths: Sequence[Path]) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(paths[0].parent.iterdir()) if path.name != "md.h5.json"}


def test_all_outputs_have_the_numbers_of_the_model(case: tuple[StructureModel, Any], tmp_path: Path) -> None:
    model, descriptor = case
    paths = outputs(tmp_path, "whole")
    score_trajectory(tmp_path / "m.lpr", tmp_path / "md.extxyz", paths, least_rigid=3, descriptor=descriptor)
    expected = model.score(ase.io.iread(tmp_path / "md.extxyz"))
    with h5py.File(paths[0]) as file:
        np.testing.assert_array_equal(file["atoms/lpr"][:], expected.lpr)
    np.testing.assert_array_equal(np.load(paths[3])["residual"], expected.residual)
    written = np.concatenate([frame.arrays["lpr"] for frame in ase.io.iread(paths[2])])
    np.testing.assert_array_equal(written, expected.lpr)
    least = ase.io.read(tmp_path / "whole" / "md.h5.least-rigid.extxyz", ":")
    assert sum(int((frame.arrays["lpr_rank"] > 0).sum()) for frame in least) == 3


def test_shards_and_workers_write_the_bytes_of_one_run(case: tuple[StructureModel, Any], tmp_path: Path) -> None:
    model, _ = case
    whole, parts, spread = (outputs(tmp_path, name) for name in ("whole", "parts", "spread"))
    source = tmp_path / "md.extxyz"
    score_trajectory(model, source, whole, least_rigid=3)
    for number in (2, 1, 3):
        score_trajectory(model, source, parts, least_rigid=3, shard=f"{number}/3")
    merge_shards(parts[0])
    with local_processes(2) as executor:
        score_trajectory(model, source, spread, least_rigid=3, executor=executor)
        fit_files(
            tmp_path / "train.extxyz",
            tmp_path / "spread.lpr",
            descriptor="features" if model.descriptor["kind"] == "array" else _outside(model),  # type: ignore[index]
            n_active=12,
            regularizer=1e-3,
            executor=executor,
        )
    assert contents(parts) == contents(whole)
    assert contents(spread) == contents(whole)
    assert (tmp_path / "spread.lpr").read_bytes() == (tmp_path / "m.lpr").read_bytes()


def _outside(model: StructureModel) -> Any:
    return model._outside


PROGRAM = """
import time
import lpr_fast.atoms._frames as frames
import lpr_fast.jobs._job as job
import tests.describing as describing
job._BETWEEN_CHECKPOINTS, frames.BATCH_ATOMS = 0.02, 32
whole = describing._shells_of
describing._shells_of = lambda frame: (time.sleep(0.01), whole(frame))[1]
from lpr_fast.command_line import main
main()
"""


def test_a_run_that_was_killed_goes_on_with_the_descriptor_of_its_command(
    frames: list[Atoms], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    (tmp_path / "toy.py").write_text(FILE)
    ase.io.write(tmp_path / "train.xyz", frames)
    ase.io.write(tmp_path / "md.xyz", silicon(60, seed=70))
    toy = ["--descriptor", f"{tmp_path / 'toy.py'}:here"]
    succeed("fit", tmp_path / "train.xyz", "-o", tmp_path / "m.lpr", "--n-active", 12, *toy)
    arguments = ["score", tmp_path / "m.lpr", tmp_path / "md.xyz", *toy, "-o"]
    succeed(*arguments, tmp_path / "whole.h5")
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments), str(tmp_path / "parts.h5")]
    assert killed(command, 0.3, after=tmp_path / "parts.h5.journal")
    assert "resumed at frame" in run(*arguments, tmp_path / "parts.h5").output
    assert (tmp_path / "parts.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_the_command_line_takes_features_and_descriptors(frames: list[Atoms], tmp_path: Path) -> None:
    (tmp_path / "toy.py").write_text(FILE)
    train, model, md = tmp_path / "train.extxyz", tmp_path / "m.lpr", tmp_path / "md.extxyz"
    ase.io.write(train, frames)
    ase.io.write(md, frames[:3])
    toy = ["--descriptor", f"{tmp_path / 'toy.py'}:shells"]
    for given in (["--features", "features"], toy):
        options = given if given is toy else []
        succeed("fit", train, "-o", model, "--model", "linear", "--regularizer", "0.01", *given)
        succeed("score", model, md, "-o", tmp_path / "out.npz", *options)
        expected = load_model(model, toy[1] if options else None).score(ase.io.read(md, ":"))
        np.testing.assert_array_equal(np.load(tmp_path / "out.npz")["lpr"], expected.lpr)
        assert "14" in succeed("info", model).output
    for arguments, says in (
        (["fit", train, "-o", model, "--features", "other"], "it has no array 'other', but features"),
        (["fit", train, "-o", model, "--features", "features", *toy], "--features, --descriptor were given"),
        (["fit", train, "-o", model, "--descriptor", "toy"], "give package.module:name or file.py:name"),
        (["score", model, md, "-o", tmp_path / "o.npz"], "give it (descriptor=, --descriptor)"),
        (["score", model, md, "-o", tmp_path / "o.npz", "--descriptor", "tests.describing:shells"], "whose name is"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2
        assert says in result.output


def test_frames_that_cannot_be_described_can_be_left_out(frames: list[Atoms], tmp_path: Path) -> None:
    model = SparseKernelModel.fit(frames, descriptor="features", n_active=12, regularizer=1e-3)
    without = frames[2].copy()
    del without.arrays["features"]
    given = [*frames[:2], without, *frames[3:]]
    done = score_trajectory(model, given, [tmp_path / "o.npz"], on_error="skip")
    assert done.summary.n_skipped == 1
    expected = model.score([*frames[:2], *frames[3:]])
    np.testing.assert_array_equal(np.load(tmp_path / "o.npz")["lpr"], expected.lpr)
    with pytest.raises(InvalidInputError, match="frame 2 cannot be described"):
        score_trajectory(model, given, [tmp_path / "o.npz"])


class Describer(LennardJones):
    """A potential that gives the features of its atoms as well."""

    def calculate(self, atoms: Atoms | None = None, *arguments: Any, **options: Any) -> None:
        super().calculate(atoms, *arguments, **options)
        assert self.atoms is not None
        self.results["features"] = shells([self.atoms])[0]


def moving(calc: Calculator) -> VelocityVerlet:
    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.05, seed=4)
    atoms.arrays["features"] = shells([atoms])[0]  # which do not follow them
    atoms.calc = calc
    return VelocityVerlet(atoms, timestep=units.fs)


@pytest.mark.parametrize("descriptor", ["features", shells, SHELLS])
def test_moving_atoms_are_scored_by_the_features_that_they_have_now(descriptor: Any, frames: list[Atoms]) -> None:
    model = SparseKernelModel.fit(frames, descriptor=descriptor, n_active=12, regularizer=1e-3)
    potential = Describer(epsilon=0.1, sigma=2.0, rc=4.0)
    for dynamics in (moving(LprCalculator(potential, model)), moving(potential)):
        atoms = dynamics.atoms
        if atoms.calc is potential:
            dynamics.attach(LprObserver(dynamics, model, Trigger(1e-9)))
        start = atoms.positions.copy()
        dynamics.run(5)
        assert np.abs(atoms.positions - start).max() > 1e-6
        expected = model.score_features(shells([atoms])[0], atoms.numbers)
        np.testing.assert_array_equal(atoms.arrays["lpr"], expected.lpr)


def test_features_that_do_not_follow_the_atoms_are_refused(frames: list[Atoms]) -> None:
    model = SparseKernelModel.fit(frames, descriptor="features", n_active=12, regularizer=1e-3)
    plain = LennardJones(epsilon=0.1, sigma=2.0, rc=4.0)
    with pytest.raises(InvalidInputError, match="the calculator has no result of that name"):
        moving(LprCalculator(plain, model)).run(1)
    dynamics = moving(plain)
    dynamics.attach(LprObserver(dynamics, model, Trigger(1e-9)))
    with pytest.raises(InvalidInputError, match="the calculator has no result of that name"):
        dynamics.run(1)
    atoms = moving(Describer(epsilon=0.1, sigma=2.0, rc=4.0)).atoms
    atoms.get_potential_energy()
    atoms.positions[0] += 0.1
    with pytest.raises(InvalidInputError, match="it was changed after its 'features' was calculated"):
        model.score(atoms)
