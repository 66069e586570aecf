"""Features: against featomic and against the definition; folding, layout, periodicity."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ase.build
import ase.io
import numpy as np
import pytest
from ase import Atoms
from featomic import SoapPowerSpectrum

from lpr_fast.descriptors._radial_table import RadialTable
from lpr_fast.descriptors._soap import Soap
from lpr_fast.descriptors._structures import structure_of

from .oracle.soap import power_spectra, products, spread_out
from .structures import HYPERS, fitted, gallium_arsenide, molecules, rattled, silicon

DATA = Path(os.environ.get("LPR_FAST_DATA", Path(__file__).parents[2] / "shared" / "data"))

ALLOYS = {
    1: silicon(2),
    2: gallium_arsenide(2),
    3: molecules()[:2],
    4: molecules()[:3],
}

LARGE = {
    "cutoff": {"radius": 5.0, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
    "density": {"type": "Gaussian", "width": 0.4},
    "basis": {"type": "TensorProduct", "max_angular": 6, "radial": {"type": "Gto", "max_radial": 7}},
}


def tensor_product(max_radial: int, max_angular: int) -> dict[str, Any]:
    return {"type": "TensorProduct", "max_angular": max_angular, "radial": gto(max_radial)}


def gto(max_radial: int) -> dict[str, Any]:
    return {"type": "Gto", "max_radial": max_radial}


KINDS: dict[str, dict[str, Any]] = {
    "small": HYPERS,
    "8 x 7": LARGE,
    "10 x 9": LARGE | {"basis": tensor_product(9, 8)},
    "12 x 3": LARGE | {"basis": tensor_product(11, 2)},
    "explicit": LARGE | {"basis": {"type": "Explicit", "by_angular": {0: gto(8), 3: gto(4), 4: gto(1)}}},
    "step": LARGE | {"cutoff": {"radius": 4.0, "smoothing": {"type": "Step"}}},
    "scaled": LARGE
    | {
        "density": {
            "type": "Gaussian",
            "width": 0.4,
            "center_atom_weight": 0.5,
            "scaling": {"type": "Willatt2018", "exponent": 4, "rate": 1.0, "scale": 2.0},
        }
    },
}


def species_of(frames: list[Atoms]) -> list[int]:
    return sorted({int(s) for frame in frames for s in frame.numbers})


def soap_of(frames: list[Atoms], hypers: dict[str, Any] = HYPERS) -> Soap:
    return Soap.from_hypers(hypers, species_of(frames))


def computed(frames: list[Atoms], soap: Soap, **options: Any) -> np.ndarray:
    return soap.compute([structure_of(frame, soap.cutoff, soap.species) for frame in frames], **options)


def features(frames: list[Atoms], soap: Soap | None = None) -> np.ndarray:
    return computed(frames, soap or soap_of(frames))


def unfolded(frames: list[Atoms], hypers: dict[str, Any] = HYPERS, species: list[int] | None = None) -> np.ndarray:
    """Featomic's own features without splines, all of them in one row for each atom, whatever its species."""
    spectra = SoapPowerSpectrum(**hypers | {"basis": {**hypers["basis"], "spline_accuracy": None}}).compute(frames)
    first = np.cumsum([0, *(len(frame) for frame in frames)])
    known = species or species_of(frames)
    pairs = [(a, b) for i, a in enumerate(known) for b in known[i:]]
    width = len(spectra.block(0).properties)
    rows = np.zeros((first[-1], len(pairs) * width))
    for key, block in spectra.items():
        place = pairs.index((int(key[1]), int(key[2]))) * width
        atoms = first[block.samples.column("system")] + block.samples.column("atom")
        rows[atoms, place : place + width] = block.values
    return rows


def folded(frames: list[Atoms], hypers: dict[str, Any], species: list[int]) -> np.ndarray:
    """The same, folded as ours."""
    lone = SoapPowerSpectrum(**hypers).compute([Atoms([species[0]], [[0, 0, 0]])]).block(0).properties
    n1, n2 = lone.column("n_1"), lone.column("n_2")
    plain = unfolded(frames, hypers, species).reshape(sum(map(len, frames)), -1, len(n1))
    pairs = [(a, b) for i, a in enumerate(species) for b in species[i:]]
    parts = []
    for place, (a, b) in enumerate(pairs):
        kept = n1 <= n2 if a == b else np.ones(len(n1), dtype=bool)
        factors = np.where((n1 < n2) & (a == b), np.sqrt(2.0), 1.0)
        parts.append((plain[:, place] * factors)[:, kept])
    return np.concatenate(parts, axis=1)


def units(rows: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1.0)


def tolerance(table: RadialTable) -> float:
    return max(1e-11, 10 * table.scatter, 10 * table.error)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_species", ALLOYS)
def test_features_are_those_of_featomic(kind: str, n_species: int) -> None:
    frames, hypers = ALLOYS[n_species], KINDS[kind]
    soap = soap_of(frames, hypers)
    expected = folded(frames, hypers, list(soap.species))
    difference = units(computed(frames, soap)) - units(expected)
    assert np.abs(difference).max() < tolerance(soap.table)


def made_up(n_species: int = 8) -> Atoms:
    """A periodic crystal of many species, disordered."""
    frame = rattled(ase.build.bulk("Si", cubic=True).repeat((2, 2, 1)), 3, by=0.3)
    frame.numbers = np.random.default_rng(0).choice([1, 5, 8, 14, 22, 31, 47, 79][:n_species], len(frame))
    return frame


def test_eight_species_have_the_features_of_featomic() -> None:
    frames = [made_up()]
    soap = soap_of(frames, LARGE)
    expected = folded(frames, LARGE, list(soap.species))
    assert np.abs(units(computed(frames, soap)) - units(expected)).max() < 1e-11


@pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is absent: these structures are not distributed")
@pytest.mark.parametrize(
    "name",
    [
        "alloys_ss_mota", "big_aC_4001", "big_aSi_4096", "big_liqSi_8000", "carbon_gap17test_dft", "carbon_gap20u_dft",
        "carbon_gap20u_unlabelled", "gaas_cookbook", "gaas_dos_samples",
        "molecules_small1000", "si_defects_mogroup", "si_gap18_partial", "si_mlearn",
    ],
)  # fmt: skip
def test_real_structures_have_the_features_of_featomic(name: str) -> None:
    every = ase.io.read(DATA / f"{name}.xyz", ":")
    frames = [frame for frame in every[:: max(1, len(every) // 8)] if frame.pbc.all() or not frame.pbc.any()]
    soap = soap_of(frames, LARGE)
    expected = folded(frames, LARGE, list(soap.species))
    difference = np.abs(units(computed(frames, soap)) - units(expected)).max(axis=1)
    assert difference.max() < tolerance(soap.table)
    assert np.median(difference) < 1e-12


@pytest.mark.parametrize("n_species", ALLOYS)
def test_features_are_those_of_the_definition(n_species: int) -> None:
    frame = ALLOYS[n_species][-1]
    soap = soap_of([frame])
    expected = power_spectra(frame, HYPERS, list(soap.species))
    np.testing.assert_allclose(features([frame], soap), expected, rtol=0, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("n_species", ALLOYS)
def test_folding_changes_no_scalar_product(n_species: int) -> None:
    ours = features(ALLOYS[n_species])
    found, expected = products(ours), products(spread_out(ours, n_species, HYPERS))
    assert np.abs(found - expected).max() <= 1e-14 * expected.max()
    assert np.abs(found - products(unfolded(ALLOYS[n_species]))).max() <= 1e-12 * expected.max()


def test_folding_saves_what_it_should() -> None:
    """With 8 radial functions and l <= 6: 252, 952, 2100 and 3696 features instead of 448, 1344, 2688 and 4480."""
    table = Soap.from_hypers(LARGE, [1]).table
    sizes = [Soap(LARGE, tuple(range(1, n + 1)), table).n_features for n in (1, 2, 3, 4)]
    assert sizes == [252, 952, 2100, 3696]


def test_the_layout_does_not_depend_on_the_species_at_hand() -> None:
    soap = Soap.from_hypers(HYPERS, [1, 6, 7, 8])
    together = features(molecules(), soap)
    alone = [features([molecule], soap) for molecule in molecules()]
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_chosen_atoms_have_the_bits_that_they_have_among_all() -> None:
    frames = molecules()
    soap = Soap.from_hypers(HYPERS, [1, 6, 7, 8])
    chosen = [np.arange(len(frame))[n % 2 :: 3] for n, frame in enumerate(frames)]
    some = computed(frames, soap, atoms=chosen)
    expected = np.concatenate([features([frame], soap)[atoms] for frame, atoms in zip(frames, chosen, strict=True)])
    np.testing.assert_array_equal(some, expected)


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_threads_change_no_bit(n_threads: int) -> None:
    frames = [*silicon(12), rattled(ase.build.bulk("Si", cubic=True).repeat((3, 3, 3)), 1)]
    soap = soap_of(frames)
    np.testing.assert_array_equal(computed(frames, soap, n_threads=n_threads), features(frames, soap))


def test_pickled_descriptors_give_the_same_bits() -> None:
    soap = Soap.from_hypers(HYPERS, [14])
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


def test_supercells_permutations_wrapping_rotation_and_skewed_vectors_change_nothing() -> None:
    frame = silicon(1)[0]
    expected = features([frame])
    twice = features([frame * (1, 2, 1)])
    order = np.random.default_rng(0).permutation(len(frame))
    permuted = np.empty_like(expected)
    permuted[order] = features([frame[order]])
    skewed = frame.copy()
    skewed.cell[2] += 2 * skewed.cell[0] - skewed.cell[1]
    moved = frame.copy()
    moved.positions += [13.0, -40.0, 7.7]
    turned = frame.copy()
    turned.rotate(37, (1, 2, 3), rotate_cell=True)
    scale = np.abs(expected).max()
    for other in (twice[:8], twice[8:], permuted, features([skewed]), features([moved]), features([turned])):
        np.testing.assert_allclose(other, expected, rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize("vectors", [1, 2, 3])
def test_cells_far_smaller_than_the_cutoff_are_described_as_their_supercells(vectors: int) -> None:
    cell = np.diag([1.9, 2.1, 2.3]) + np.triu(np.full((3, 3), 0.4), 1)
    frame = Atoms("Si", [[0.3, 0.2, 0.1]], cell=cell, pbc=np.arange(3) < vectors)
    repeated = frame.repeat([4 if periodic else 1 for periodic in frame.pbc])
    expected = features([frame])
    np.testing.assert_allclose(features([repeated]), np.repeat(expected, len(repeated), axis=0), rtol=1e-11, atol=1e-13)


def test_threads_may_describe_at_the_same_time() -> None:
    soap, frames = Soap.from_hypers(HYPERS, [14]), silicon(24)
    structures = [structure_of(frame, soap.cutoff, soap.species) for frame in frames]
    expected = soap.compute(structures)
    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(soap.compute, [structures] * 16):
            np.testing.assert_array_equal(found, expected)


def test_splines_in_the_hypers_no_longer_matter() -> None:
    for accuracy in (None, 1e-3):
        hypers = HYPERS | {"basis": {**HYPERS["basis"], "spline_accuracy": accuracy}}
        np.testing.assert_array_equal(features(silicon(1), Soap.from_hypers(hypers, [14])), features(silicon(1)))


def test_a_process_that_scores_does_not_load_featomic(tmp_path: Path) -> None:
    code = """
import sys
import lpr_fast
model = lpr_fast.load_model(sys.argv[1])
from ase import Atoms
model.score(Atoms("Si"))
print("featomic" in sys.modules)
"""
    fitted().save(tmp_path / "m.lpr")
    command = [sys.executable, "-c", code, str(tmp_path / "m.lpr")]
    finished = subprocess.run(command, capture_output=True, check=True)
    assert finished.stdout.decode().strip() == "False"


@pytest.mark.parametrize("kind", ["small", "step"])
@pytest.mark.parametrize("radius", [2.5, 4.5, 5.0, 5.5, 10.0])
def test_a_neighbour_at_the_cutoff_to_rounding_is_at_the_end_of_the_table(kind: str, radius: float) -> None:
    """Squares below that of these cutoffs have the cutoff itself as their root."""
    smoothing = {"type": "Step"} if kind == "step" else HYPERS["cutoff"]["smoothing"]
    soap = Soap.from_hypers(HYPERS | {"cutoff": {"radius": radius, "smoothing": smoothing}}, [14])
    lone = features([Atoms("Si")], soap)
    vectors = np.random.default_rng(0).normal(size=(4000, 3))
    vectors *= radius / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = features([Atoms("Si2", [[0, 0, 0], vector]) for vector in vectors], soap)[::2]
    nearer = features([Atoms("Si2", [[0, 0, 0], [0, 0, radius * (1 - 1e-12)]])], soap)[:1]
    distances = np.minimum(np.abs(found - lone).max(axis=1), np.abs(found - nearer).max(axis=1))
    assert distances.max() < 1e-9


def test_an_interrupt_while_integrals_are_sampled_is_an_interrupt() -> None:
    code = """
import _thread, threading, time
from lpr_fast.descriptors._soap import Soap
hypers = {
    "cutoff": {"radius": 5.0, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
    "density": {"type": "Gaussian", "width": 0.4},
    "basis": {"type": "TensorProduct", "max_angular": 10, "radial": {"type": "Gto", "max_radial": 11}},
}
threading.Timer(0.15, _thread.interrupt_main).start()
try:
    for _ in range(1000):
        Soap.from_hypers(hypers, [14])
except KeyboardInterrupt:
    print("interrupted")
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "interrupted\n", "")
