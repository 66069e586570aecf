"""Large structures are cut into cells, and nobody can tell from the numbers."""

from __future__ import annotations

import os
from pathlib import Path

import ase.build
import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

from lpr_fast import LinearModel, Scores, SparseKernelModel
from lpr_fast.descriptors import _cells

from .structures import HYPERS, fitted, gallium_arsenide, molecules, rattled, silicon

CUTOFF = HYPERS["cutoff"]["radius"]
DATA = Path(os.environ.get("LPR_FAST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def wire() -> Atoms:
    """Periodic along a vector that is shorter than the cutoff, with atoms far outside of the cell."""
    frame = rattled(Atoms("Si", cell=[2.6, 2.6, 2.6], pbc=True).repeat((1, 6, 20)), 1)
    frame.set_pbc((True, False, False))
    frame.positions[::3] += 5 * frame.cell[0]
    return frame


def triclinic() -> Atoms:
    frame = ase.build.bulk("Si").repeat((5, 4, 6))
    frame.set_cell(frame.cell.array @ [[1, 0.3, 0], [0.1, 1, -0.2], [0, 0.5, 1]], scale_atoms=True)
    return rattled(frame, 2)


def thin_cell() -> Atoms:
    """All images of an atom within the cutoff are neighbours, itself among them."""
    return rattled(ase.build.bulk("Si").repeat((1, 1, 60)), 3)


def slab() -> Atoms:
    frame = rattled(ase.build.bulk("Si", cubic=True).repeat((4, 4, 2)), 4)
    frame.center(vacuum=30.0, axis=2)
    frame.pbc = (True, True, False)
    return frame


def tilted_slab() -> Atoms:
    frame = slab()
    frame.rotate(33, (1, 2, 3), rotate_cell=True)
    return frame


def flat_slab_in_a_full_cell() -> Atoms:
    frame = slab()
    frame.pbc = True
    return frame


def cluster() -> Atoms:
    frame = rattled(ase.build.bulk("Si", cubic=True).repeat((3, 3, 3)), 5)
    frame.set_pbc(False)
    return frame


def chain() -> Atoms:
    """All atoms on a line: no extent along two directions."""
    return Atoms("Si200", [[2.3 * n, 0, 0] for n in range(200)])


STRUCTURES = [wire, triclinic, thin_cell, slab, tilted_slab, flat_slab_in_a_full_cell, cluster, chain]


@pytest.fixture
def small_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cells, "LARGEST_UNCUT", 100)
    monkeypatch.setattr(_cells, "_ATOMS_PER_CELL", 12)


def differences(a: Scores, b: Scores) -> float:
    np.testing.assert_array_equal(a.structure, b.structure)
    np.testing.assert_array_equal(a.atom, b.atom)
    pairs = {name: (getattr(a, name), getattr(b, name)) for name in ("lpr", "variance", "residual", "energy")}
    largest = 0.0
    for name, (x, y) in pairs.items():
        if x is not None:
            np.testing.assert_array_equal(np.isnan(x), np.isnan(y))
            scale = 1.0 if name == "residual" else np.abs(y)  # the residual is a difference from one
            largest = max(largest, float(np.nanmax(np.abs(x - y) / scale)))
    return largest


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_cut_structure_has_the_numbers_of_the_whole(structure: object, monkeypatch: pytest.MonkeyPatch) -> None:
    model, frames = fitted(), [silicon(1)[0], structure(), silicon(1, seed=4)[0]]  # type: ignore[operator]
    whole, features = model.score(frames), model.features(frames)
    monkeypatch.setattr(_cells, "LARGEST_UNCUT", 100)
    monkeypatch.setattr(_cells, "_ATOMS_PER_CELL", 12)
    assert len(list(_cells.clusters(frames[1], CUTOFF))) > 5
    assert differences(model.score(frames), whole) < 1e-10
    np.testing.assert_allclose(model.features(frames), features, rtol=0, atol=1e-13)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_every_atom_is_once_at_home_and_sees_all_its_neighbours(structure: object, small_cells: None) -> None:
    frame = structure()  # type: ignore[operator]
    seen, homes = np.zeros(len(frame), dtype=int), []
    for piece in _cells.clusters(frame, CUTOFF):
        centres, lengths = neighbor_list("id", piece.system, CUTOFF)
        order = np.argsort(centres, kind="stable")
        found = np.split(lengths[order], np.cumsum(np.bincount(centres, minlength=len(piece.system)))[:-1])
        expected_centres, expected_lengths = neighbor_list("id", frame, CUTOFF)
        for local, atom in enumerate(piece.atoms):
            expected = np.sort(expected_lengths[expected_centres == atom])
            np.testing.assert_allclose(np.sort(found[local]), expected, rtol=1e-12)
        homes.append(piece.atoms)
        assert (np.diff(piece.atoms) > 0).all()
    np.add.at(seen, np.concatenate(homes), 1)
    assert (seen == 1).all()


def test_several_species_and_linear_models_are_cut_too(monkeypatch: pytest.MonkeyPatch) -> None:
    crystal = rattled(gallium_arsenide(1)[0].repeat((3, 3, 2)), 6)
    mixture = rattled(Atoms.copy(molecules()[0]), 7)
    for n, molecule in enumerate(molecules() * 6):
        moved = molecule.copy()
        moved.translate([4.0 * (n % 4), 4.0 * (n // 4 % 4), 4.0 * (n // 16)])
        mixture = moved if n == 0 else mixture + moved
    cases = [
        (fitted(gallium_arsenide()), crystal),
        (LinearModel.fit(gallium_arsenide(), hypers=HYPERS, regularizer=1e-2), crystal),
        (fitted(molecules()), mixture),
    ]
    for model, frame in cases:
        whole = model.score(frame)
        with monkeypatch.context() as patch:
            patch.setattr(_cells, "LARGEST_UNCUT", 100)
            patch.setattr(_cells, "_ATOMS_PER_CELL", 12)
            assert differences(model.score(frame), whole) < 1e-10


def test_what_is_near_an_unknown_species_is_nan_in_cells_too(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = rattled(ase.build.bulk("Si", cubic=True).repeat((3, 3, 3)), 8)
    frame.numbers[[5, 100]] = 32
    whole = fitted().score(frame, unknown_species="nan")
    monkeypatch.setattr(_cells, "LARGEST_UNCUT", 100)
    monkeypatch.setattr(_cells, "_ATOMS_PER_CELL", 12)
    assert 2 < np.isnan(whole.lpr).sum() < len(frame)
    assert differences(fitted().score(frame, unknown_species="nan"), whole) < 1e-10


def test_the_cut_does_not_depend_on_how_many_cells_are_described_together(
    small_cells: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, frame = fitted(), triclinic()
    expected = model.score(frame)
    for limit in (1, 50, 10_000):
        monkeypatch.setattr("lpr_fast.atoms._frames._BATCH_ATOMS", limit)
        for n_threads in (1, 2):
            scores = model.score(frame, n_threads=n_threads)
            np.testing.assert_array_equal(scores.lpr, expected.lpr)
            np.testing.assert_array_equal(scores.energy, expected.energy)


def test_frames_of_4096_atoms_are_not_cut() -> None:
    assert _cells.LARGEST_UNCUT == 4096


@pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is absent: these structures are not distributed")
@pytest.mark.parametrize("name", ["big_aSi_film_35946", "big_liqSi_8000"])
def test_a_real_snapshot_has_the_numbers_of_the_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = ase.io.read(DATA / f"{name}.xyz")
    model = SparseKernelModel.fit(silicon(), hypers=HYPERS, n_active=12, regularizer=1e-3)
    cut = model.score(frame)
    monkeypatch.setattr(_cells, "LARGEST_UNCUT", 10**9)
    assert differences(cut, model.score(frame)) < 1e-10
