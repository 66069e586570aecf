"""Features: folding, layout, periodicity."""

from __future__ import annotations

import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ase.build
import numpy as np
import pytest
from ase import Atoms
from featomic import SoapPowerSpectrum
from metatensor import Labels

from lpr_fast.descriptors._soap import Soap

from .structures import HYPERS, gallium_arsenide, molecules, silicon

ALLOYS = {
    1: silicon(2),
    2: gallium_arsenide(2),
    3: molecules()[:2],
    4: molecules()[:3],
}


def test_labels_of_metatensor_are_freed() -> None:
    values = np.arange(2 * 10**5, dtype=np.int32).reshape(-1, 2)
    Labels(["a", "b"], values)
    before = resident_megabytes()
    for _ in range(250):  # 200 MB, if they were not
        Labels(["a", "b"], values)
    assert resident_megabytes() < before + 50


def resident_megabytes() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def features(frames: list[Atoms], soap: Soap | None = None) -> np.ndarray:
    if soap is None:
        soap = Soap(HYPERS, sorted({int(s) for frame in frames for s in frame.numbers}))
    return soap.compute(frames)


def unfolded(frames: list[Atoms]) -> np.ndarray:
    """Featomic's own features, all of them in one row for each atom, whatever its species."""
    spectra = SoapPowerSpectrum(**HYPERS).compute(frames)
    first = np.cumsum([0, *(len(frame) for frame in frames)])
    pairs = sorted({(int(key[1]), int(key[2])) for key in spectra.keys})
    width = len(spectra.block(0).properties)
    rows = np.zeros((first[-1], len(pairs) * width))
    for key, block in spectra.items():
        place = pairs.index((int(key[1]), int(key[2]))) * width
        atoms = first[block.samples.column("system")] + block.samples.column("atom")
        rows[atoms, place : place + width] = block.values
    return rows


@pytest.mark.parametrize("n_species", ALLOYS)
def test_folding_changes_no_scalar_product(n_species: int) -> None:
    folded, plain = features(ALLOYS[n_species]), unfolded(ALLOYS[n_species])
    expected = plain @ plain.T
    np.testing.assert_allclose(folded @ folded.T, expected, rtol=0, atol=1e-14 * expected.max())


def test_folding_saves_what_it_should() -> None:
    """With 8 radial functions and l <= 6: 252, 952, 2100 and 3696 features instead of 448, 1344, 2688 and 4480."""
    hypers = {
        **HYPERS,
        "basis": {"type": "TensorProduct", "max_angular": 6, "radial": {"type": "Gto", "max_radial": 7}},
    }
    sizes = [Soap(hypers, range(1, n + 1)).n_features for n in (1, 2, 3, 4)]
    assert sizes == [252, 952, 2100, 3696]


def test_the_layout_does_not_depend_on_the_species_at_hand() -> None:
    soap = Soap(HYPERS, [1, 6, 7, 8])
    together = features(molecules(), soap)
    alone = [features([molecule], soap) for molecule in molecules()]
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_chosen_atoms_have_the_bits_that_they_have_among_all() -> None:
    frames = molecules()
    soap = Soap(HYPERS, [1, 6, 7, 8])
    chosen = [np.arange(len(frame))[n % 2 :: 3] for n, frame in enumerate(frames)]
    some = soap.compute(frames, chosen)
    expected = np.concatenate([features([frame], soap)[atoms] for frame, atoms in zip(frames, chosen, strict=True)])
    np.testing.assert_array_equal(some, expected)


def test_pickled_descriptors_give_the_same_bits() -> None:
    soap = Soap(HYPERS, [14])
    np.testing.assert_array_equal(features(silicon(1), pickle.loads(pickle.dumps(soap))), features(silicon(1), soap))


def slab(pbc: tuple[bool, bool, bool], third: list[float]) -> Atoms:
    frame = ase.build.bulk("Si", cubic=True) * (2, 1, 1)
    frame.rattle(0.1, seed=3)
    frame.cell[2] = third
    frame.pbc = pbc
    return frame


@pytest.mark.parametrize("third", [[0.0, 0.0, 0.0], [0.0, 0.0, 5.43], [1.0, 2.0, 5.43], [0.0, 0.0, 80.0]])
def test_a_slab_is_what_a_cell_with_vacuum_is(third: list[float]) -> None:
    explicit = slab((True, True, True), [0.0, 0.0, 60.0])
    np.testing.assert_allclose(
        features([slab((True, True, False), third)]), features([explicit]), rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_wire_is_what_a_cell_with_vacuum_is(axis: int) -> None:
    wire = Atoms("Si3", [[0.1, 0, 0], [1.9, 1.2, 0.3], [-1.0, 0.3, 1.9]], pbc=np.arange(3) == axis)
    wire.cell[axis] = np.roll([4.2, 0.7, 0.4], axis)
    boxed = wire.copy()
    boxed.cell[(axis + 1) % 3, (axis + 1) % 3] = boxed.cell[(axis + 2) % 3, (axis + 2) % 3] = 60.0
    boxed.pbc = True
    np.testing.assert_allclose(features([wire]), features([boxed]), rtol=1e-10, atol=1e-12)


def test_a_cell_that_is_not_periodic_does_not_matter() -> None:
    bare = silicon(1)[0]
    bare.pbc = False
    boxed = bare.copy()
    bare.cell[:] = 0.0
    np.testing.assert_array_equal(features([bare]), features([boxed]))


def test_supercells_wrapping_rotation_and_skewed_vectors_change_nothing() -> None:
    frame = silicon(1)[0]
    expected = features([frame])
    twice = features([frame * (1, 2, 1)])
    skewed = frame.copy()
    skewed.cell[2] += 2 * skewed.cell[0] - skewed.cell[1]
    moved = frame.copy()
    moved.positions += [13.0, -40.0, 7.7]
    turned = frame.copy()
    turned.rotate(37, (1, 2, 3), rotate_cell=True)
    for other in (twice[:8], twice[8:], features([skewed]), features([moved]), features([turned])):
        np.testing.assert_allclose(other, expected, rtol=1e-9, atol=1e-11)


def test_atoms_that_see_an_unknown_species_are_found() -> None:
    frame = Atoms("SiSiOSi", [[0, 0, 0], [3.4, 0, 0], [6.8, 0, 0], [0, 3.4, 0]])
    soap = Soap(HYPERS, [14])
    assert soap.sees_unknown_species([frame, silicon(1)[0]])[:5].tolist() == [0, 1, 1, 0, 0]
    frame.set_cell([8.0, 20.0, 20.0])
    frame.pbc = (True, False, False)
    assert soap.sees_unknown_species([frame]).tolist() == [True, True, True, False]


def test_threads_may_describe_at_the_same_time() -> None:
    soap, frames = Soap(HYPERS, [14]), silicon(24)
    expected = soap.compute(frames)
    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(soap.compute, [frames] * 16):
            np.testing.assert_array_equal(found, expected)
