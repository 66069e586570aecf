"""Strained crystals in which all atoms of a species are equivalent."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import ase.build
import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from click.testing import CliRunner, Result

from lpr_fast import InvalidInputError, prototypes, single_environment
from lpr_fast.command_line._commands import lpr_fast
from lpr_fast.descriptors._soap import Soap
from lpr_fast.descriptors._soap_hypers import soap_hypers

from .structures import fitted, silicon

NAMES = [
    *prototypes("C"),
    *prototypes("Ga", "As"),
    *prototypes("Ca", "F"),
    "rhombohedral Bi",
    "bct Sn",
    "fcc Ga",
    "bcc Mo",
    "hcp Ti",
]
SINGLE = [name for name in NAMES if "AB C" not in name]


def distances_to_species(frame: Atoms, radius: float = 6.0) -> list[list[np.ndarray]]:
    """Of each atom the sorted distances to its neighbours of each species: what any description of it contains."""
    i, j, d = neighbor_list("ijd", frame, radius)
    return [
        [np.sort(d[(i == atom) & (frame.numbers[j] == s)]) for s in np.unique(frame.numbers)]
        for atom in range(len(frame))
    ]


def largest_difference(frame: Atoms) -> float:
    """Between distances of two atoms of one species; infinite for other numbers of neighbours."""
    found = distances_to_species(frame)
    worst = 0.0
    for a, b in itertools.combinations(range(len(frame)), 2):
        if frame.numbers[a] != frame.numbers[b]:
            continue
        for of_a, of_b in zip(found[a], found[b], strict=True):
            worst = max(worst, np.abs(of_a - of_b).max(initial=0.0) if len(of_a) == len(of_b) else np.inf)
    return worst


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("n_atoms", [None, 24])
def test_all_atoms_of_a_species_have_the_same_distances_around_them(name: str, n_atoms: int | None) -> None:
    for frame in single_environment(name, 3, n_atoms=n_atoms, seed=4):
        assert largest_difference(frame) < 1e-9
        assert frame.info["spread"] < 1e-9
        assert frame.pbc.all()
        assert n_atoms is None or n_atoms / 3 <= len(frame) <= n_atoms


@pytest.mark.parametrize("name", SINGLE)
def test_the_cells_differ_from_each_other_and_from_the_prototype(name: str) -> None:
    frames = [*single_environment(name, 4), *single_environment(name, 1, max_strain=0.0)]
    spectra = [np.sort(neighbor_list("d", frame, 5.0)) for frame in frames]
    for a, b in itertools.combinations(spectra, 2):
        assert len(a) != len(b) or np.abs(a - b).max() > 1e-3
    assert len({frame.info["name"] for frame in frames}) == 5
    assert {frame.info["config_type"] for frame in frames} == {name.replace(" ", "_")}
    volumes = [frame.get_volume() for frame in frames]
    assert np.ptp(volumes) > 0.005 * volumes[-1]


def principal_strains(frame: Atoms, of: Atoms) -> np.ndarray:
    """From the cell vectors alone: singular values of the map between them, less one."""
    return np.linalg.svd(np.linalg.solve(of.cell.array, frame.cell.array), compute_uv=False) - 1.0


@pytest.mark.parametrize("name", ["diamond Si", "wurtzite GaAs", "graphene C"])
def test_principal_strains_are_within_what_was_asked_for_and_fill_it(name: str) -> None:
    (start,) = single_environment(name, 1, max_strain=0.0)
    strains = np.array([principal_strains(frame, start) for frame in single_environment(name, 30, max_strain=0.2)])
    assert np.abs(strains).max() <= 0.2 + 1e-9
    assert np.abs(strains).max() > 0.12


def test_the_first_of_more_cells_are_those_of_fewer_and_another_seed_makes_others() -> None:
    few, many, others = (
        [frame.info["name"] for frame in single_environment("diamond C", n, seed=seed)]
        for n, seed in ((2, 3), (5, 3), (5, 4))
    )
    assert few == many[:2]
    assert not set(many) & set(others)


def test_layers_keep_their_vacuum_and_are_strained_in_their_plane() -> None:
    for frame in single_environment("graphene C", 3):
        assert frame.cell.array[2].tolist() == pytest.approx([0.0, 0.0, 15.0])
        assert np.ptp(frame.positions[:, 2]) < 1e-12
        assert len(single_environment("graphene C", 1, n_atoms=8)[0]) == 8


def test_sizes_of_cells_are_compact_repetitions() -> None:
    sizes = {n: len(single_environment("diamond C", 1, n_atoms=n)[0]) for n in (2, 8, 64)}
    assert sizes == {2: 2, 8: 8, 64: 64}
    (cell,) = single_environment("diamond C", 1, max_strain=0.0, n_atoms=64)
    assert cell.cell.lengths() == pytest.approx([7.134] * 3, abs=0.01)
    assert cell.cell.angles() == pytest.approx([90.0] * 3)


def test_graphite_with_two_sites_is_refused_with_the_difference_and_accepted_as_nearly_one() -> None:
    with pytest.raises(InvalidInputError, match=r"graphite-AB_C has 2 kinds of C whose features differ by 0\.09"):
        single_environment("graphite-AB C", 1, max_strain=0.0)
    (frame,) = single_environment("graphite-AB C", 1, max_strain=0.0, nearly=True)
    assert frame.info["spread"] == pytest.approx(0.095, abs=0.001)
    assert frame.info["symmetry"] == "P6_3/mmc (194)"


def test_a_crystal_of_ones_own_is_taken_or_refused_by_its_symmetry() -> None:
    l1_2 = ase.build.bulk("Cu", cubic=True)
    l1_2.symbols[0] = "Au"
    for frame in single_environment(l1_2, 3):  # threefold rotations alone make its copper atoms equivalent
        assert frame.cell.lengths() == pytest.approx([frame.cell.lengths()[0]] * 3)
        assert frame.info["symmetry"] == "R-3m (166)"
        assert largest_difference(frame) < 1e-9
    rattled = silicon(1)[0]
    with pytest.raises(InvalidInputError, match="8 kinds of Si whose features differ by"):
        single_environment(rattled, 1)
    assert single_environment(rattled, 1, nearly=True)[0].info["spread"] > 0.01


def test_a_layer_of_ones_own_gets_vacuum() -> None:
    layer = ase.build.graphene()
    assert not layer.pbc[2]
    (frame,) = single_environment(layer, 1)
    assert frame.pbc.all()
    assert frame.cell.lengths()[2] == pytest.approx(15.0)


def test_positions_as_files_hold_them_are_accurate_enough(tmp_path: Any) -> None:
    ase.io.write(tmp_path / "p.extxyz", single_environment("wurtzite GaN", 2, n_atoms=32))
    for frame in ase.io.read(tmp_path / "p.extxyz", ":"):
        (again,) = single_environment(frame, 1, max_strain=0.0)
        assert again.info["spread"] < 1e-6
        assert frame.info["name"].startswith("wurtzite_GaN-000")


def test_equivalence_is_checked_by_the_features_of_a_model_too() -> None:
    model = fitted()
    frames = single_environment("diamond Si", 2, model=model, n_atoms=16)
    assert all(frame.info["spread"] < 1e-9 for frame in frames)

    def heights(of: list[Atoms]) -> list[np.ndarray]:
        return [np.column_stack([frame.positions[:, 2] + 1.0, np.ones(len(frame))]) for frame in of]

    odd = fitted(hypers=None, descriptor=heights, n_active=2)
    with pytest.raises(InvalidInputError, match="are equivalent, but their features differ"):
        single_environment("diamond Si", 1, model=odd)
    with pytest.raises(InvalidInputError, match="the model knows only Si"):
        single_environment("diamond C", 1, model=model)


@pytest.mark.parametrize(
    ("given", "options", "expected"),
    [
        ("diamond Xx", {}, "'diamond Xx' is no prototype; give a structure and a formula, such as 'diamond C'."),
        ("nonsense C", {}, "there is no prototype 'nonsense C'; take one of 'fcc C', 'bcc C'"),
        ("zincblende GaAs2", {}, "there is no prototype 'zincblende GaAs2'; take one of 'zincblende GaAs'"),
        ("fcc H", {}, "there is no prototype 'fcc H'; give structures of your own."),
        ("fcc HCN", {}, "there is no prototype 'fcc HCN'; give structures of your own."),
        (3, {}, "the prototype is a int; give a name, or ase.Atoms."),
        (
            ase.build.molecule("H2O"),
            {},
            "the prototype H2O is not periodic; give a crystal, or a layer, with its cell.",
        ),
        ("fcc Cu", {"n": 0}, "n is 0; ask for at least one cell."),
        ("fcc Cu", {"max_strain": 1.0}, "max_strain is 1; it must be from 0 to below 1."),
        ("fcc Cu", {"n": 2, "max_strain": 0.0}, "2 cells without strain would all be the same"),
        ("diamond C", {"n_atoms": 1}, "n_atoms is 1, but the smallest cell has 2 atoms; give no less."),
        ("diamond C", {"n": 20, "max_strain": 0.6}, "diamond_C, strained by up to 0.6, has atoms 0."),
        (Atoms("Si2", np.zeros((2, 3)), cell=np.eye(3) * 3, pbc=True), {}, "spglib finds no symmetry in the crystal"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(given: Any, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(expected)) as caught:
        single_environment(given, options.pop("n", 1), **options)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "expected"), [((), "0 elements"), (("C", "C"), "2 elements"), (("Q",), "not a chemical")]
)
def test_names_are_told_for_one_or_two_elements(given: tuple[str, ...], expected: str) -> None:
    with pytest.raises(InvalidInputError, match=expected):
        prototypes(*given)


def test_samarium_whose_atoms_differ_is_not_listed_in_its_own_crystal() -> None:
    assert prototypes("Sm") == ["fcc Sm", "bcc Sm", "hcp Sm", "diamond Sm", "sc Sm"]


def test_the_two_sites_of_graphite_differ_as_the_page_says() -> None:
    (cell,) = single_environment("graphite-AB C", 1, max_strain=0.0, nearly=True)
    features = Soap.from_hypers(soap_hypers(cutoff=4.5), (6,)).features([cell])
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    distances = np.linalg.norm(features[:, None] - features, axis=2)
    kernels = (features @ features.T) ** 4
    assert distances.max() == pytest.approx(0.23, abs=0.005)
    assert 1.0 - kernels.min() == pytest.approx(0.10, abs=0.005)


# The command


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(lpr_fast, ["prototypes", *(str(argument) for argument in arguments)])


def test_the_command_writes_the_cells_of_the_call_and_tells_what_they_are(tmp_path: Path) -> None:
    result = run("diamond C", "graphene C", "-n", 2, "-o", tmp_path / "c.xyz", "--seed", 7)
    assert result.exit_code == 0, result.output
    expected = [*single_environment("diamond C", 2, seed=7), *single_environment("graphene C", 2, seed=7)]
    written = ase.io.read(tmp_path / "c.xyz", ":")
    for frame, cell in zip(written, expected, strict=True):
        assert frame.positions.tolist() == cell.positions.tolist()
        assert frame.cell.array.tolist() == cell.cell.array.tolist()
        assert frame.info == cell.info
        (line,) = [line for line in result.output.splitlines() if line.startswith(cell.info["name"])]
        assert f"{cell.get_volume() / 2:.2f}" in line
        assert cell.info["symmetry"] in line
    again = run("diamond C", "graphene C", "-n", 2, "-o", tmp_path / "d.xyz", "--seed", 7)
    assert again.exit_code == 0
    assert (tmp_path / "c.xyz").read_bytes() == (tmp_path / "d.xyz").read_bytes()


def test_the_command_takes_crystals_from_files_and_a_model(tmp_path: Path) -> None:
    fitted().save(tmp_path / "m.lpr")
    crystals = [ase.build.bulk("Si", a=a) for a in (5.3, 5.5)]
    ase.io.write(tmp_path / "own crystal.extxyz", crystals)
    result = run(tmp_path / "own crystal.extxyz", "-n", 2, "-o", tmp_path / "o.xyz", "--model", tmp_path / "m.lpr")
    assert result.exit_code == 0, result.output
    names = [frame.info["config_type"] for frame in ase.io.read(tmp_path / "o.xyz", ":")]
    assert names == ["own_crystal-0"] * 2 + ["own_crystal-1"] * 2


def test_the_command_tells_what_there_is() -> None:
    assert run("--list", "C").output.split("\n")[:-1] == prototypes("C")
    assert run("--list", "Ga,As").output.split("\n")[:-1] == prototypes("Ga", "As")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], "give prototypes and a file to write (-o), or list the prototypes of elements (--list C)."),
        (["diamond C"], "give prototypes and a file to write (-o)"),
        (["nowhere.cif", "-o", "x.xyz"], "nowhere.cif: No such file or directory."),
        (["diamond C", "diamond C", "-o", "x.xyz"], "two prototypes give the same cells (diamond_C-0000-"),
        (["graphite-AB C", "-o", "x.xyz"], "2 kinds of C"),
        (["--list", "Q"], "'Q' is not a chemical element"),
    ],
)
def test_the_command_refuses_in_one_sentence(
    given: list[str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*given)
    assert result.exit_code == 2
    assert expected in result.output
    assert len(result.output.splitlines()) == 1
    assert not list(tmp_path.iterdir())
