"""Structures and options that models cannot use get one sentence that says what was given and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from lpr_fast import InvalidInputError, LinearModel, LprError

from .structures import HYPERS, fitted, labelled, molecules, silicon


def with_energy(energy: Any) -> list[Atoms]:
    frames = silicon()
    frames[3].calc = SinglePointCalculator(frames[3], energy=energy)
    return frames


def with_position(position: float) -> list[Atoms]:
    frames = [Atoms(frame) for frame in silicon()]
    frames[4].positions[5, 1] = position
    return frames


def with_cell(cell: Any, pbc: Any = (True, True, True)) -> list[Atoms]:
    return [*silicon(1), labelled(Atoms("Si", cell=cell, pbc=pbc), -1.0)]


def linear(**options: Any) -> LinearModel:
    return LinearModel.fit(silicon(), **{"hypers": HYPERS, "regularizer": 1.0, **options})


def score(frames: Any, **options: Any) -> Any:
    return fitted().score(frames, **options)


LONE = {**HYPERS, "density": {"type": "Gaussian", "width": 0.5, "center_atom_weight": 0.0}}

CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "no structures": (lambda: fitted([]), "the training set is empty; give at least one"),
    "a number for frames": (lambda: fitted(3), "frames is a int; give ase.Atoms"),  # type: ignore[arg-type]
    "a path for frames": (lambda: score("md.xyz"), r"frames is a str; give ase.Atoms, for instance ase.io.read"),
    "positions for frames": (lambda: score([np.zeros((3, 3))]), "frame 0 is a ndarray; it must be an ase.Atoms"),
    "something among frames": (lambda: score([*silicon(2), None]), "frame 2 is a NoneType; it must be an ase.Atoms"),
    "a frame without atoms": (lambda: fitted([*silicon(2), Atoms()]), "frame 2 has no atoms; leave it out"),
    "NaN position": (lambda: fitted(with_position(np.nan)), "frame 4, atom 5 has a position that is not finite"),
    "infinite position": (lambda: score(with_position(np.inf)), "frame 4, atom 5 has a position that is not finite"),
    "NaN cell": (lambda: fitted(with_cell([np.nan, 3, 3])), "frame 1 has a cell that is not finite"),
    "no cell": (lambda: fitted(with_cell(None)), "frame 1 is periodic, but its cell vectors .* span no volume"),
    "flat cell": (lambda: score(with_cell([[1, 0, 0], [0, 2, 0], [1, 2, 0]])), "frame 1 is periodic, but its cell vec"),
    "slab without vectors": (lambda: score(with_cell([0, 4, 4], (True, True, False))), "frame 1 is periodic, but its"),
    "parallel vectors": (
        lambda: score(with_cell([[4, 0, 0], [8, 0, 0], [0, 0, 9]], (True, True, False))),
        "frame 1 is periodic, but its cell vectors",
    ),
    "unknown species": (lambda: score(molecules()), "frame 0, atom 0 is C, but the model knows only Si; remove"),
    "unknown species to describe": (lambda: fitted().features(molecules()), "frame 0, atom 0 is C"),
    "unknown species to predict": (lambda: fitted().predict([*silicon(1), *molecules()]), "frame 1, atom 0 is C"),
    "unknown wish": (
        lambda: score(silicon(1), unknown_species="skip"),
        "unknown_species is 'skip'; it must be 'error' or",
    ),
    "negative threads": (lambda: score(silicon(1), n_threads=-1), "n_threads is -1"),
    "text energy": (lambda: fitted(with_energy("low")), "the energy of frame 3 is 'low'; it must be a real number"),
    "energies of atoms": (
        lambda: fitted(with_energy(np.ones(8))),
        "the energy of frame 3 is array.*; it must be a real number",
    ),
    "NaN energy": (lambda: fitted(with_energy(np.nan)), "the energy of frame 3 is nan; correct or remove the frame"),
    "energy that is true": (
        lambda: fitted(with_energy(np.True_)),
        "the energy of frame 3 is .*True.*; it must be a real number",
    ),
    "energy key that no frame has": (
        lambda: fitted(energy_key="dft"),
        "frame 0 has no energy named 'dft' .6 of 6 frames have none.; remove these frames, correct the name",
    ),
    "atoms at one place": (lambda: score(Atoms("Si3", [[0, 0, 1], [2, 0, 0], [0, 0, 1]])), "atoms 0 and 2 at the same"),
    "an image at one place": (
        lambda: score([Atoms("Si2", [[0, 0, 1], [4, 4, 1.00001]], cell=[4, 4, 9], pbc=True)]),
        "frame 0 has atoms 0 and 1 at the same place",
    ),
    "an atom that float64 does not resolve": (
        lambda: score([Atoms("Si2", [[0, 0, 1], [1e9, 0, 0]])]),
        "frame 0, atom 1 is so far from the origin that float64 does not resolve",
    ),
    "a cell that float64 does not resolve": (
        lambda: score([Atoms("Si2", [[-1.1, 0, 0], [1.2, 0, 0]], cell=[1e15] * 3, pbc=True)]),
        "frame 0 has so large a cell that float64 does not resolve the environments",
    ),
    "one place in a cell narrower than the cutoff": (
        lambda: score([Atoms("Si2", [[4e-5, 0, 0], [0.8 - 4e-5, 0, 0]], cell=[0.8, 12, 12], pbc=True)]),
        "frame 0 has atoms 0 and 1 at the same place",
    ),
    "an atomic number beyond all": (
        lambda: score([Atoms([2**32 + 14, 14], [[0, 0, 0], [2, 0, 0]])], unknown_species="nan"),
        "frame 0 has an atomic number 4294967310",
    ),
    "nanometres in a large cell": (
        lambda: score([Atoms("Si1000", np.indices((10, 10, 10)).reshape(3, -1).T / 4, cell=[2.5] * 3, pbc=True)]),
        "frame 0 has so dense or so flat a cell",
    ),
    "a cell of one cubic angstrom": (
        lambda: score([Atoms("Si8", np.indices((2, 2, 2)).reshape(3, -1).T / 2, cell=[1.0] * 3, pbc=True)]),
        "frame 0 has so dense or so flat a cell",
    ),
    "power that is no kernel": (
        lambda: fitted(zeta=0.3, n_active=40),
        "with zeta = 0.3 the kernel is not positive def",
    ),
    "energy key of another type": (lambda: fitted(energy_key=3), "energy_key is 3; give the name"),
    "unknown loss": (lambda: fitted(loss="huber"), "loss is 'huber'; it must be 'total' or 'per_atom'"),
    "too few weights": (lambda: fitted(weights=[1.0]), "got 1 weight for 6 frames; give one for each frame"),
    "negative weight": (lambda: fitted(weights=[1, 1, -1, 1, 1, 1]), "the weight of frame 2 is -1.0; weights must be"),
    "NaN weight": (lambda: fitted(weights=[np.nan] * 6), "the weight of frame 0 is nan; weights must be finite"),
    "no weight": (
        lambda: fitted(weights=np.zeros(6)),
        "all weights are zero; give at least one frame a positive weight",
    ),
    "zero regularizer": (lambda: linear(regularizer=0), "regularizer is 0; it must be finite and positive"),
    "text regularizer": (lambda: linear(regularizer="1"), "the regularizer is '1'; give a positive number, or 'auto'"),
    "negative zeta": (lambda: fitted(zeta=-2), "zeta is -2; it must be finite and positive"),
    "infinite zeta": (lambda: fitted(zeta=np.inf), "zeta is inf; it must be finite and positive"),
    "neither count nor set": (lambda: fitted(n_active=None), "give either n_active, the size of the active set, or"),
    "both count and set": (lambda: fitted(active_set=[(0, 0)]), "give either n_active, the size of the active set, or"),
    "no active environments": (lambda: fitted(n_active=0), "n_active is 0; it must be positive"),
    "half an environment": (lambda: fitted(n_active=2.5), "n_active is 2.5; it must be an integer"),
    "fewer than species": (
        lambda: fitted(molecules(), n_active=3),
        "n_active is 3, but the training set has 4 species",
    ),
    "count for a missing species": (
        lambda: fitted(n_active={"Si": 3, "C": 2}),
        "n_active has numbers for Si, C; give a positive",
    ),
    "count for no element": (
        lambda: fitted(n_active={"Xx": 3}),
        "'Xx' is not a chemical element; give a symbol such as",
    ),
    "count for an element twice": (
        lambda: fitted(n_active={"Si": 3, 14: 2}),
        r"n_active has an element twice \(Si, 14\)",
    ),
    "no pairs": (lambda: fitted(n_active=None, active_set=[1, 2]), r"active_set has shape \(2,\) .*; give pairs"),
    "fractional pairs": (lambda: fitted(n_active=None, active_set=[[0.5, 1]]), "active_set has .* float64; give pairs"),
    "ragged pairs": (lambda: fitted(n_active=None, active_set=[[0], [1, 2]]), "active_set cannot be converted"),
    "pair out of range": (
        lambda: fitted(n_active=None, active_set=[(0, 8)]),
        "active_set has atom 8 of frame 0, which",
    ),
    "negative pair": (
        lambda: fitted(n_active=None, active_set=[(-1, 0)]),
        "active_set has atom 0 of frame -1, which",
    ),
    "pair given twice": (
        lambda: fitted(n_active=None, active_set=[(0, 1)] * 2),
        "active_set has an environment twice",
    ),
    "negative seed": (lambda: fitted(seed=-3), "seed is -3; it must not be negative"),
    "baseline of another element": (
        lambda: fitted(baseline={"C": 1.0}),
        "the baseline is .'C': 1.0.; give one finite energy",
    ),
    "infinite baseline": (
        lambda: fitted(baseline={"Si": np.inf}),
        "the baseline is .'Si': inf.; give one finite energy",
    ),
    "baseline as a number": (
        lambda: fitted(baseline=-5.0),
        r"the baseline is -5.0; give a dictionary of energies, such as {'Si'",
    ),
    "baseline without energies": (
        lambda: fitted(energy_key=None, baseline={"Si": 1.0}),
        "a baseline was given, but the training set has no energies",
    ),
    "hypers as text": (lambda: fitted(hypers="soap"), "hypers is a str; it must be the dictionary"),
    "no hypers": (lambda: fitted(hypers={}), "hypers has no basis, cutoff, density; it must be"),
    "hypers too many": (lambda: fitted(hypers={**HYPERS, "colour": 1}), "hypers has unknown entries colour"),
    "hypers with an array": (
        lambda: fitted(hypers={**HYPERS, "cutoff": np.ones(2)}),
        "hypers cannot be written as JSON",
    ),
    "negative cutoff": (
        lambda: fitted(hypers={**HYPERS, "cutoff": {"radius": -1.0}}),
        "radius in hypers is -1.0; it must be a length from 0.001 to 1000",
    ),
    "cutoff of zero": (lambda: fitted(hypers={**HYPERS, "cutoff": {"radius": 0}}), "radius in hypers is 0; it must be"),
    "infinite cutoff": (lambda: fitted(hypers={**HYPERS, "cutoff": {"radius": np.inf}}), "radius in hypers is inf; it"),
    "cutoff without radius": (
        lambda: fitted(hypers={**HYPERS, "cutoff": {}}),
        "the cutoff in hypers is {}; it must be",
    ),
    "huge basis": (
        lambda: fitted(hypers={**HYPERS, "basis": {"type": "TensorProduct", "max_angular": 10**9}}),
        "max_angular in hypers is 1000000000; it must be an integer from 0 to 100",
    ),
    "basis without radial part": (
        lambda: fitted(hypers={**HYPERS, "basis": {"type": "TensorProduct", "max_angular": 2}}),
        "featomic does not accept",
    ),
    "flat cell full of images": (
        lambda: score(with_cell([[3, 0, 0], [3, 1e-4, 0], [0, 0, 3]])),
        "frame 1 has so dense or so flat a cell, or atoms so near .* check cell, units and cutoff",
    ),
    "huge zeta": (lambda: fitted(zeta=1e18), "zeta is 1e.18; it must be at most 1000"),
    "isolated atoms alone": (
        lambda: fitted([labelled(Atoms("Si"), -1.0)] * 3, hypers=LONE, n_active=1),
        "the features of all training environments are zero",
    ),
    "isolated active atom": (
        lambda: fitted([*silicon(1), labelled(Atoms("Si"), 1.0)], hypers=LONE, n_active=None, active_set=[(1, 0)]),
        "active_set has atom 0 of frame 1, whose features are zero",
    ),
    "provenance as text": (lambda: fitted(provenance="mine"), "provenance is a str; give a dictionary"),
    "provenance with an array": (lambda: fitted(provenance={"a": np.ones(2)}), "provenance cannot be written as JSON"),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore:the active set has")
def test_bad_structures_and_options_are_explained_in_one_sentence(name: str) -> None:
    call, message = CASES[name]
    with pytest.raises(InvalidInputError, match=message) as caught:
        call()
    assert isinstance(caught.value, LprError)
    assert isinstance(caught.value, ValueError)
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
