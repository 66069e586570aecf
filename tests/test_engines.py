"""ASE: a calculator that scores, an observer that saves frames, and the trigger that it asks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import ase.db
import ase.io
import numpy as np
import pytest
from ase import Atom, Atoms, units
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.calculators.socketio import SocketClient, SocketIOCalculator
from ase.io import Trajectory
from ase.md.verlet import VelocityVerlet

from lpr_fast import InvalidInputError, LprCalculator, LprObserver, SparseKernelModel, Trigger

from .structures import HYPERS, fitted, labelled, rattled


def argon() -> Atoms:
    return bulk("Ar", cubic=True).repeat((2, 2, 2))


@pytest.fixture(scope="module")
def model() -> SparseKernelModel:
    hypers = {**HYPERS, "cutoff": {"radius": 5.0, "smoothing": {"type": "ShiftedCosine", "width": 0.5}}}
    return fitted([rattled(bulk("Ar", cubic=True), seed) for seed in range(6)], hypers=hypers)


def run_of(atoms: Atoms, kelvin: float = 60.0) -> VelocityVerlet:
    width = np.sqrt(atoms.get_masses() * units.kB * kelvin)
    atoms.set_momenta(width[:, None] * np.random.default_rng(1).normal(size=(len(atoms), 3)))
    return VelocityVerlet(atoms, timestep=5 * units.fs)


def lennard_jones() -> LennardJones:
    return LennardJones(sigma=3.4, epsilon=0.0104, rc=6.0)


class Counting:
    """A model that counts how often it scores."""

    def __init__(self, model: SparseKernelModel) -> None:
        self.calls = 0
        self._score = model.score

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        return self._score(*arguments, **options)


def test_the_calculator_adds_scores_and_changes_nothing_else(model: SparseKernelModel) -> None:
    plain, scored = rattled(argon(), 3), rattled(argon(), 3)
    plain.calc, scored.calc = lennard_jones(), LprCalculator(lennard_jones(), model)
    assert scored.get_potential_energy() == plain.get_potential_energy()
    np.testing.assert_array_equal(scored.get_forces(), plain.get_forces())
    np.testing.assert_array_equal(scored.get_stress(), plain.get_stress())
    expected = model.score(plain)
    np.testing.assert_array_equal(scored.arrays["lpr"], expected.lpr)
    np.testing.assert_array_equal(scored.arrays["lpr_variance"], expected.variance)
    np.testing.assert_array_equal(scored.arrays["lpr_residual"], expected.residual)


def test_each_configuration_is_scored_once(model: SparseKernelModel, monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Counting(model)
    monkeypatch.setattr(SparseKernelModel, "score", lambda _, *a, **o: counting(*a, **o))
    atoms = argon()
    atoms.calc = LprCalculator(lennard_jones(), model)
    for _ in range(2):
        atoms.get_potential_energy()
        atoms.get_forces()
        atoms.get_stress()
    assert counting.calls == 1
    atoms.positions[0] += 0.1
    atoms.get_forces()
    assert counting.calls == 2


def test_writers_keep_the_scores_while_atoms_move(model: SparseKernelModel, tmp_path: Path) -> None:
    atoms = argon()
    atoms.calc = LprCalculator(lennard_jones(), model)
    dynamics = run_of(atoms)
    written: list[Atoms] = []
    dynamics.attach(lambda: ase.io.write(tmp_path / "md.xyz", atoms, append=True), interval=2)
    dynamics.attach(lambda: written.append(atoms.copy()), interval=2)
    dynamics.run(6)
    frames = ase.io.read(tmp_path / "md.xyz", ":")
    assert len(frames) == len(written) == 4
    for frame in frames:
        np.testing.assert_allclose(frame.arrays["lpr"], model.score(frame).lpr, rtol=1e-4)  # eight decimals


def test_the_observer_saves_what_fires_and_ends_the_run(model: SparseKernelModel, tmp_path: Path) -> None:
    atoms = argon()
    atoms.calc = lennard_jones()
    dynamics = run_of(atoms)
    lowest: dict[int, float] = {}
    start = float(model.score(atoms).lpr.min())
    trigger = Trigger(0.8 * start, release=start, n_steps=2, max_frames=1)
    dynamics.attach(LprObserver(dynamics, model, trigger, path=tmp_path / "saved.xyz", stop=True), interval=2)
    dynamics.attach(lambda: lowest.update({dynamics.nsteps: float(atoms.arrays["lpr"].min())}), interval=2)
    dynamics.run(400)
    fired = min(b for a, b in zip(lowest, list(lowest)[1:], strict=False) if max(lowest[a], lowest[b]) < 0.8 * start)
    assert dynamics.nsteps == fired < 400
    (frame,) = ase.io.read(tmp_path / "saved.xyz", ":")
    assert frame.info["step"] == fired
    assert frame.info["lpr_lowest"] == frame.arrays["lpr"].min() == lowest[fired]
    np.testing.assert_allclose(frame.arrays["lpr"], model.score(frame).lpr, rtol=1e-9)


def test_without_stop_the_run_goes_on(model: SparseKernelModel, tmp_path: Path) -> None:
    atoms = argon()
    atoms.calc = lennard_jones()
    dynamics = run_of(atoms)
    trigger = Trigger(1e300, max_frames=5)
    dynamics.attach(LprObserver(dynamics, model, trigger, path=tmp_path / "saved.xyz"), interval=5)
    dynamics.run(20)
    assert dynamics.nsteps == 20
    assert trigger.n_fired == 1
    assert not trigger.is_exhausted


def test_structures_of_other_species_are_refused(model: SparseKernelModel) -> None:
    atoms = labelled(bulk("Ne", cubic=True))
    atoms.calc = LprCalculator(lennard_jones(), model)
    with pytest.raises(InvalidInputError, match="atom 0 is Ne, but the model knows only Ar"):
        atoms.get_potential_energy()
    with pytest.raises(InvalidInputError, match=r"model is 'si\.lpr'; give a SparseKernelModel"):
        LprCalculator(lennard_jones(), "si.lpr")  # type: ignore[arg-type]


def test_what_was_refused_stays_refused(model: SparseKernelModel) -> None:
    atoms = argon()
    atoms.calc = LprCalculator(lennard_jones(), model)
    atoms.get_potential_energy()
    atoms.append(Atom("Ne", [1.3, 1.3, 1.3]))
    for _ in range(2):
        with pytest.raises(InvalidInputError, match="atom 32 is Ne"):
            atoms.get_potential_energy()
    assert "lpr" not in atoms.arrays
    del atoms[32]
    atoms.get_potential_energy()
    np.testing.assert_array_equal(atoms.arrays["lpr"], model.score(atoms).lpr)


def test_structures_get_their_scores_also_when_nothing_is_calculated(model: SparseKernelModel) -> None:
    calculator = LprCalculator(lennard_jones(), model)
    first, second = rattled(argon(), 1), rattled(argon(), 1)
    first.calc = second.calc = calculator
    second.set_array("lpr", np.zeros(32))
    for atoms in (first, second):
        atoms.get_potential_energy()
    np.testing.assert_array_equal(second.arrays["lpr"], first.arrays["lpr"])
    np.testing.assert_array_equal(second.arrays["lpr_residual"], model.score(second).residual)


def test_a_frame_that_cannot_be_saved_does_not_keep_the_run_going(model: SparseKernelModel, tmp_path: Path) -> None:
    atoms = argon()
    atoms.calc = lennard_jones()
    dynamics = run_of(atoms)
    (tmp_path / "folder").mkdir()
    observer = LprObserver(dynamics, model, Trigger(1e300), path=tmp_path / "folder" / "saved.xyz", stop=True)
    (tmp_path / "folder").rmdir()
    dynamics.attach(observer, interval=2)
    with pytest.raises(FileNotFoundError):
        dynamics.run(20)
    assert dynamics.max_steps == dynamics.nsteps == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None, "model", "trigger"), "dynamics is None; give a run of ASE that moves atoms step by step"),
        (("run", None, "trigger"), "model is None; give a SparseKernelModel or LinearModel"),
        (("run", "model", 0.01), "trigger is 0.01; give a Trigger"),
    ],
)
def test_an_observer_says_what_it_needs(
    model: SparseKernelModel, arguments: tuple[Any, ...], message: str, tmp_path: Path
) -> None:
    given = {"run": run_of(argon()), "model": model, "trigger": Trigger(1.0)}
    with pytest.raises(InvalidInputError, match=message):
        LprObserver(*(given.get(argument, argument) for argument in arguments))
    with pytest.raises(InvalidInputError, match="is a folder; give the name of a file"):
        LprObserver(given["run"], model, given["trigger"], path=tmp_path)
    with pytest.raises(InvalidInputError, match="calc is None; give a calculator of ASE"):
        LprCalculator(None, model)  # type: ignore[arg-type]


def test_the_trigger_takes_what_the_core_takes() -> None:
    trigger = Trigger(1, n_steps=2, cool_down=10, max_frames=2)
    lowest = [0.5, 0.5, 2.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    assert [step for step, value in enumerate(lowest) if trigger.update(step, value)] == [1, 11]
    assert trigger.is_exhausted
    with pytest.raises(InvalidInputError, match=r"the release is 0\.5; it must be at least the threshold"):
        Trigger(1.0, release=0.5)
    assert not trigger.update(11, 0.5)
    with pytest.raises(InvalidInputError, match="the step is 10; it must be no smaller than the one before"):
        trigger.update(10, 1.0)
    assert not trigger.update(2**40, 1.0)
    with pytest.raises(InvalidInputError, match="threshold is 'low'; it must be a real number"):
        Trigger("low")  # type: ignore[arg-type]


def test_info_brings_all_digits_through_the_files_of_ase(model: SparseKernelModel, tmp_path: Path) -> None:
    atoms = rattled(argon(), 5)
    atoms.calc = LprCalculator(lennard_jones(), model, in_info=True)
    with Trajectory(tmp_path / "md.traj", "w", atoms) as trajectory:
        for _ in range(2):
            atoms.positions[0, 0] += 0.1
            atoms.get_forces()
            trajectory.write()
            ase.io.write(tmp_path / "md.xyz", atoms, append=True)
    for name in ("md.traj", "md.xyz"):
        for frame in ase.io.read(tmp_path / name, ":"):
            expected = model.score(frame) if name == "md.traj" else None
            assert frame.get_forces().shape == (32, 3)
            for key in ("lpr", "lpr_variance", "lpr_residual"):
                if expected is not None:
                    np.testing.assert_array_equal(frame.info[key], getattr(expected, key.removeprefix("lpr_")))
    np.testing.assert_array_equal(frame.info["lpr"], atoms.arrays["lpr"])
    with ase.db.connect(tmp_path / "md.db") as database:
        database.write(atoms, data={"lpr": atoms.arrays["lpr"]})
        np.testing.assert_array_equal(database.get(1).data["lpr"], atoms.arrays["lpr"])
    atoms.positions[0, 0] += 0.1
    atoms.calc.model = None  # cannot score
    with pytest.raises(AttributeError):
        atoms.get_forces()
    assert not {"lpr", "lpr_variance"} & (set(atoms.info) | set(atoms.arrays))


def test_a_calculator_around_a_socket_scores_what_it_sends(model: SparseKernelModel, tmp_path: Path) -> None:
    name = f"lpr_fast_test_{uuid4().hex[:8]}"
    with SocketIOCalculator(unixsocket=name) as server:

        def serve() -> None:
            distant = argon()
            distant.calc = lennard_jones()
            SocketClient(unixsocket=name).run(distant, use_stress=True)

        client = Thread(target=serve, daemon=True)
        client.start()
        atoms = rattled(argon(), 2)
        expected = model.score(atoms)
        atoms.calc = LprCalculator(server, model)
        forces = atoms.get_forces()
    client.join(30)
    np.testing.assert_array_equal(atoms.arrays["lpr"], expected.lpr)
    atoms.calc = lennard_jones()
    np.testing.assert_allclose(forces, atoms.get_forces(), rtol=1e-9, atol=1e-12)


def test_threads_that_share_a_trigger_fire_it_once_for_a_step() -> None:
    trigger = Trigger(1.0, max_frames=100)
    with ThreadPoolExecutor(8) as threads:
        for step in range(50):
            reasons = list(threads.map(lambda _, at=step: trigger.update(at, 0.5), range(16)))
            assert reasons.count("lpr") == 16 - reasons.count(None) == (step == 0)
    assert trigger.n_fired == 1
