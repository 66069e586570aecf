"""Large structures are scored part by part, and nobody can tell from the numbers."""

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
from lpr_fast.atoms import _pieces
from lpr_fast.descriptors._structures import structure_of

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


def assert_same(a: Scores, b: Scores) -> None:
    for name in Scores.__dataclass_fields__:
        x, y = getattr(a, name), getattr(b, name)
        if x is not None:
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_parts_of_a_structure_have_the_bits_of_the_whole(structure: object, monkeypatch: pytest.MonkeyPatch) -> None:
    model, frames = fitted(), [silicon(1)[0], structure(), silicon(1, seed=4)[0]]  # type: ignore[operator]
    whole, features = model.score(frames), model.features(frames)
    monkeypatch.setattr(_pieces, "LARGEST_WHOLE", 50)
    for limit in (1, 30, 10_000):
        monkeypatch.setattr("lpr_fast.atoms._frames.BATCH_ATOMS", limit)
        for n_threads in (1, 2):
            assert_same(model.score(frames, n_threads=n_threads), whole)
        np.testing.assert_array_equal(model.features(frames), features)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_every_atom_sees_all_its_neighbours(structure: object) -> None:
    frame = structure()  # type: ignore[operator]
    bins = structure_of(frame, CUTOFF)
    centers, others, expected = neighbor_list("ijd", frame, CUTOFF)
    for atom in range(len(frame)):
        atoms, vectors = bins.neighbours(atom)
        of_atom = centers == atom
        np.testing.assert_array_equal(np.sort(atoms), np.sort(others[of_atom]))
        np.testing.assert_allclose(np.sort(np.linalg.norm(vectors, axis=1)), np.sort(expected[of_atom]), rtol=1e-12)
    np.testing.assert_array_equal(np.sort(bins.order()), np.arange(len(frame)))


def mixture() -> Atoms:
    """Molecules side by side."""
    together = Atoms()
    for n, molecule in enumerate(molecules() * 6):
        moved = molecule.copy()
        moved.translate([4.0 * (n % 4), 4.0 * (n // 4 % 4), 4.0 * (n // 16)])
        together += moved
    return together


@pytest.mark.parametrize("kind", ["kernel", "linear", "molecules"])
def test_several_species_and_linear_models_too(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "molecules":
        model, frame = fitted(molecules()), mixture()
    else:
        frame = rattled(gallium_arsenide(1)[0].repeat((3, 3, 2)), 6)
        linear = LinearModel.fit(gallium_arsenide(), hypers=HYPERS, regularizer=1e-2)
        model = fitted(gallium_arsenide()) if kind == "kernel" else linear  # type: ignore[assignment]
    whole = model.score(frame)
    monkeypatch.setattr(_pieces, "LARGEST_WHOLE", 100)
    monkeypatch.setattr("lpr_fast.atoms._frames.BATCH_ATOMS", 37)
    assert_same(model.score(frame), whole)


def test_what_is_near_an_unknown_species_is_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = rattled(ase.build.bulk("Si", cubic=True).repeat((3, 3, 3)), 8)
    frame.numbers[[5, 100]] = 32
    whole = fitted().score(frame, unknown_species="nan")
    centers, others = neighbor_list("ij", frame, CUTOFF)
    expected = frame.numbers == 32
    expected[centers[frame.numbers[others] == 32]] = True
    np.testing.assert_array_equal(np.isnan(whole.lpr), expected)
    assert expected.sum() < len(frame)
    monkeypatch.setattr(_pieces, "LARGEST_WHOLE", 100)
    monkeypatch.setattr("lpr_fast.atoms._frames.BATCH_ATOMS", 37)
    assert_same(fitted().score(frame, unknown_species="nan"), whole)


def test_far_groups_of_atoms_cost_no_memory() -> None:
    """Bins are as many as hold atoms, however far these are from one another."""
    group = rattled(ase.build.bulk("Si", cubic=True), 1)
    group.set_pbc(False)
    groups = Atoms()
    for n in range(3):
        other = group.copy()
        other.translate([1e5 * n, -1e5 * n, 3e4 * n])
        groups += other
    scores = fitted().score(groups)
    np.testing.assert_allclose(scores.lpr[8:16], scores.lpr[:8], rtol=1e-6)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is absent: these structures are not distributed")
@pytest.mark.parametrize("name", ["big_aSi_film_35946", "big_liqSi_8000"])
def test_a_real_snapshot_has_the_bits_of_the_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = ase.io.read(DATA / f"{name}.xyz")
    model = SparseKernelModel.fit(silicon(), hypers=HYPERS, n_active=12, regularizer=1e-3)
    parts = model.score(frame)
    monkeypatch.setattr(_pieces, "LARGEST_WHOLE", 10**9)
    assert_same(parts, model.score(frame))
