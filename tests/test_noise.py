"""Standard deviations of labels: numbers, names, tables, masks and GAP's convention."""

from __future__ import annotations

import io
import json
import pickle
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms

from lpr_fast import InvalidInputError, Noise
from lpr_fast.atoms.labels._noise import as_noise

TWO = Atoms("GaAs", positions=[[0, 0, 0], [0, 0, 2.4]], cell=[6, 6, 6], pbc=True)
DEFAULTS: dict[str, Any] = {"energy": 0.01, "force": 0.1, "virial": 0.5}


def frame(n_repeats: int = 1, arrays: dict[str, Any] | None = None, **info: Any) -> Atoms:
    """Two atoms, or more, that say something."""
    found = TWO.repeat((n_repeats, 1, 1))
    found.info.update(info)
    for name, values in (arrays or {}).items():
        found.new_array(name, np.asarray(values))
    return found


def test_numbers_are_those_of_every_label_of_any_frame() -> None:
    for n_repeats in (1, 3):
        noise = Noise(**DEFAULTS).of(frame(n_repeats))
        assert noise.energy == 0.01
        np.testing.assert_array_equal(noise.force, np.full((2 * n_repeats, 3), 0.1))
        np.testing.assert_array_equal(noise.virial, np.full(6, 0.5))


def test_labels_without_a_deviation_are_not_used() -> None:
    noise = Noise(energy=0.01).of(frame())
    assert (noise.energy, noise.force, noise.virial) == (0.01, None, None)


def test_the_convention_of_gap_multiplies_energies_and_virials_by_the_root_of_the_number_of_atoms() -> None:
    for n_repeats in (1, 4):
        n_atoms = 2 * n_repeats
        noise = Noise(**DEFAULTS, convention="gap").of(frame(n_repeats))
        assert noise.energy == pytest.approx(0.01 * np.sqrt(n_atoms), rel=1e-15)
        np.testing.assert_allclose(noise.virial, 0.5 * np.sqrt(n_atoms), rtol=1e-15)
        np.testing.assert_array_equal(noise.force, 0.1)


def test_what_a_frame_of_gap_says_itself_is_absolute() -> None:
    noise = Noise(**DEFAULTS, convention="gap")
    own = noise.of(frame(4, energy_sigma=0.3, force_sigma=0.4, virial_sigma=0.6))
    assert own.energy == 0.3
    np.testing.assert_array_equal(own.force, np.full((8, 3), 0.4))
    np.testing.assert_array_equal(own.virial, np.full(6, 0.6))


def test_per_component_goes_before_per_atom_and_per_atom_before_per_frame() -> None:
    components = np.arange(1.0, 7.0).reshape(2, 3)
    noise = Noise(**DEFAULTS, convention="gap")
    per_atom = frame(force_sigma=9.0, arrays={"force_atom_sigma": [1.0, 2.0]})
    np.testing.assert_array_equal(noise.of(per_atom).force, [[1.0] * 3, [2.0] * 3])
    per_atom.new_array("force_component_sigma", components)
    np.testing.assert_array_equal(noise.of(per_atom).force, components)


def test_tables_go_by_the_group_of_the_frame_and_leave_the_rest_as_it_is() -> None:
    noise = Noise(**DEFAULTS, tables={"liquid": {"energy": 0.05, "virial": None}}, group_key="kind")
    liquid, other = noise.of(frame(kind="liquid")), noise.of(frame(kind="solid"))
    assert liquid.energy == 0.05
    assert liquid.virial is None
    np.testing.assert_array_equal(liquid.force, 0.1)
    assert other.energy == 0.01
    assert noise.of(frame()).energy == 0.01


def test_tables_grow_with_the_frame_in_the_convention_of_gap() -> None:
    noise = Noise(**DEFAULTS, tables={"liquid": {"energy": 0.05, "force": 0.2}}, convention="gap")
    liquid = noise.of(frame(8, config_type="liquid"))
    assert liquid.energy == pytest.approx(0.2, rel=1e-15)
    np.testing.assert_array_equal(liquid.force, 0.2)


def test_a_name_in_the_place_of_a_number_is_needed_where_the_frame_has_the_label() -> None:
    noise = Noise(energy="e_sigma", force="f_sigma")
    named = noise.of(frame(e_sigma=2, arrays={"f_sigma": [0.1, 0.2]}))
    assert named.energy == 2.0
    np.testing.assert_array_equal(named.force, [[0.1] * 3, [0.2] * 3])
    assert noise.of(frame(e_sigma=0.2), labels=["energy"]).force is None
    with pytest.raises(InvalidInputError, match="frame 3 has forces, but not their standard deviation 'f_sigma'"):
        noise.of(frame(e_sigma=0.2), name="frame 3")


def test_keys_are_of_those_frames_that_have_them() -> None:
    noise = Noise(energy=0.01, keys={"energy": ["better", "e_sigma"], "virial": "v_sigma"})
    assert noise.of(frame()).energy == 0.01
    assert noise.of(frame()).virial is None
    assert noise.of(frame(e_sigma=0.3)).energy == 0.3
    assert noise.of(frame(e_sigma=0.3, better=0.2)).energy == 0.2
    np.testing.assert_array_equal(noise.of(frame(v_sigma=np.arange(1.0, 10.0))).virial, [1, 5, 9, 6, 3, 2])


def test_masked_atoms_have_nan() -> None:
    noise = Noise(force=0.1, mask_key="left_out")
    for mask in ([True, False], [1, 0]):
        found = noise.of(frame(arrays={"left_out": mask})).force
        np.testing.assert_array_equal(found, [[np.nan] * 3, [0.1] * 3])


def test_an_extended_xyz_file_of_gap_says_all_of_it() -> None:
    text = (
        '2\nLattice="6 0 0 0 6 0 0 0 6" Properties=species:S:1:pos:R:3:force_mask:L:1:force_atom_sigma:R:1 '
        'energy_sigma=0.25 virial_sigma=3 config_type=liquid pbc="T T T"\nGa 0 0 0 T 0.5\nAs 0 0 2.4 F 0.75\n'
    )
    noise = Noise(**DEFAULTS, convention="gap").of(ase.io.read(io.StringIO(text), format="extxyz"))
    assert noise.energy == 0.25
    np.testing.assert_array_equal(noise.force, [[np.nan] * 3, [0.75] * 3])
    np.testing.assert_array_equal(noise.virial, np.full(6, 3.0))


def test_the_plain_mapping_has_the_same_arguments() -> None:
    assert as_noise({"energy": 0.01}, group_key="kind") == Noise(energy=0.01, group_key="kind")
    given = Noise(energy=0.01)
    assert as_noise(given, group_key="kind") is given
    tables = {"liquid": {"energy": 0.05}}
    assert as_noise({"energy": 1, "tables": tables}, group_key="g") == Noise(energy=1.0, tables=tables, group_key="g")


def test_all_of_it_can_be_written_down_and_sent_elsewhere() -> None:
    noise = Noise(energy=0.01, force="f", tables={"a": {"virial": None}}, convention="gap")
    assert json.loads(json.dumps(noise.facts())) == noise.facts()
    assert pickle.loads(pickle.dumps(noise)) == noise
    assert noise.defaults == {"energy": 0.01, "force": None, "virial": None}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "sigma has no energy, force or virial; give at least one standard deviation."),
        ({"energy": 0.0}, "sigma of energies is 0; it must be finite and positive."),
        ({"force": -1.0}, "sigma of forces is -1; it must be finite and positive."),
        ({"virial": np.nan}, "sigma of virials is nan; it must be finite and positive."),
        ({"energy": [1.0]}, "sigma of energies is .*; it must be a real number."),
        ({"energy": 1, "convention": "gp"}, "the convention of sigma is 'gp'; it must be 'plain' or 'gap'."),
        ({"energy": 1, "group_key": 3}, "group_key is 3; it must be a string."),
        ({"stress": 0.1}, "sigma has the unknown key 'stress'; it may have energy, force, virial, tables, .*."),
        ({"energy": 1, "tables": 3}, "tables of sigma are 3; give a table for each group, such as .*."),
        (
            {"energy": 1, "tables": {"a": {"e": 1}}},
            "tables of sigma for 'a' have the unknown key 'e'; they may have .*.",
        ),
        ({"energy": 1, "tables": {"a": {"force": 0}}}, "sigma of forces for 'a' is 0; it must be finite and .*."),
        ({"energy": 1, "keys": "k"}, "keys of sigma is 'k'; give names, such as .*."),
        (
            {"energy": 1, "keys": {"e": "k"}},
            "keys of sigma have the unknown key 'e'; they may have the kinds of labels energy, force and virial.",
        ),
        ({"energy": 1, "keys": {"energy": 3}}, "the key of energy in keys of sigma is 3; it must be a string."),
        (0.1, "sigma is 0.1; give standard deviations by kind of label, such as .*."),
    ],
    ids=str,
)
def test_what_cannot_be_a_noise_is_refused(given: Any, sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^{sentence}$"):
        as_noise(given, group_key="config_type")


@pytest.mark.parametrize(
    ("info", "arrays", "sentence"),
    [
        ({"energy_sigma": 0.0}, {}, "'energy_sigma' of frame 7 is 0; a standard deviation must be finite and .*."),
        ({"energy_sigma": "much"}, {}, "'energy_sigma' of frame 7 is 'much'; a standard deviation must be a real .*."),
        ({"energy_sigma": [1.0, 2.0]}, {}, r"the energy sigma of frame 7 has shape \(2,\); give one number."),
        ({"force_sigma": [1.0, 2.0, 3.0]}, {}, r"the force sigma of frame 7 has shape \(3,\); give one number, .*."),
        ({}, {"force_atom_sigma": [1.0, np.nan]}, "'force_atom_sigma' of frame 7 is nan; a standard .*."),
        (
            {"virial_sigma": np.ones(6)},
            {},
            r"the virial sigma of frame 7 has shape \(6,\); give one number, or .*.",
        ),
        ({}, {"force_mask": [2, 0]}, "'force_mask' of frame 7 is not a mask; give True or False for each atom, .*."),
    ],
    ids=str,
)
def test_what_a_frame_says_wrongly_is_refused(info: Any, arrays: Any, sentence: str) -> None:
    noise = Noise(**DEFAULTS, convention="gap")
    with pytest.raises(InvalidInputError, match=f"^{sentence}$"):
        noise.of(frame(arrays=arrays, **info), name="frame 7")
