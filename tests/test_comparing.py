"""Two models compared atom by atom, against their own scores, kernels by NumPy, and what files say."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from click.testing import CliRunner

from lpr_fast import Comparison, InvalidInputError, LinearModel, SparseKernelModel, compare
from lpr_fast.command_line._commands import lpr_fast as command
from lpr_fast.comparing._distribution import Distribution

from .structures import HYPERS, fitted, gallium_arsenide, rattled, silicon


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    return [*gallium_arsenide(3, seed=40), *gallium_arsenide(1, seed=50)]


@pytest.fixture(scope="module")
def models() -> tuple[SparseKernelModel, SparseKernelModel]:
    first = fitted(gallium_arsenide(6))
    return first, fitted(gallium_arsenide(20), n_active=None, active_set=first)


@pytest.fixture(scope="module")
def comparison(models: tuple[SparseKernelModel, SparseKernelModel], frames: list[Atoms]) -> Comparison:
    return compare(*models, frames)


def test_the_columns_are_the_scores_of_both_models(
    comparison: Comparison, models: tuple[SparseKernelModel, SparseKernelModel], frames: list[Atoms]
) -> None:
    for side, model in zip("ab", models, strict=True):
        scores = model.score(frames)
        for name in ("lpr", "lpr_held", "variance", "residual", "local_energy"):
            np.testing.assert_array_equal(comparison[f"{name}_{side}"], getattr(scores, name))
        np.testing.assert_array_equal(comparison.frame, scores.frame)
        np.testing.assert_array_equal(comparison.atom, scores.atom)
    np.testing.assert_array_equal(comparison.species, np.concatenate([frame.numbers for frame in frames]))


def test_more_structures_with_the_same_active_set_raise_every_lpr(comparison: Comparison) -> None:
    assert comparison.same_active_set is True
    assert comparison.differences.are_none
    assert (comparison.enhancement > 0.0).all()
    np.testing.assert_allclose(comparison.enhancement, comparison.lpr_b / comparison.lpr_a - 1.0)
    np.testing.assert_allclose(comparison.variance_ratio, 1.0 / (1.0 + comparison.enhancement), rtol=1e-9)


def test_models_with_descriptors_of_their_own_are_compared_too(frames: list[Atoms]) -> None:
    other = {**HYPERS, "cutoff": {**HYPERS["cutoff"], "radius": 3.0}}
    a, b = fitted(gallium_arsenide(6)), fitted(gallium_arsenide(6), hypers=other)
    found = compare(a, b, iter(frames))
    np.testing.assert_array_equal(found.lpr_a, a.score(frames).lpr)
    np.testing.assert_array_equal(found.lpr_b, b.score(frames).lpr)
    assert found.same_active_set is False
    assert any("descriptors differ" in sentence for sentence in found.differences.sentences())


def test_a_large_frame_that_is_scored_in_parts_keeps_the_order_of_its_atoms(
    models: tuple[SparseKernelModel, SparseKernelModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = rattled(gallium_arsenide(1)[0].repeat(3), 3)
    whole = compare(*models, frame)
    monkeypatch.setattr("lpr_fast.atoms._frames.BATCH_ATOMS", 50)
    parts = compare(*models, frame)
    np.testing.assert_array_equal(parts.atom, np.arange(len(frame)))
    np.testing.assert_array_equal(parts.lpr_b, whole.lpr_b)


def test_what_is_given_once_may_be_an_iterator_a_list_or_a_frame(
    models: tuple[SparseKernelModel, SparseKernelModel], frames: list[Atoms]
) -> None:
    assert len(compare(*models, [])) == 0
    assert len(compare(*models, frames[0])) == len(frames[0])
    assert len(compare(*models, iter(frames)).frames) == len(frames)


def test_species_are_told_apart_and_atoms_without_a_finite_change_are_counted(comparison: Comparison) -> None:
    found = comparison.by_species()
    assert list(found) == [31, 33]
    for species, changes in found.items():
        values = comparison.enhancement_held[comparison.species == species]  # type: ignore[index]
        assert changes["enhancement_held"].mean == pytest.approx(values.mean())
        assert changes["enhancement_held"].median == np.quantile(values, 0.5, method="nearest")
        assert changes["enhancement_held"].n_left_out == 0


def test_atoms_without_a_finite_change_are_left_out_and_counted() -> None:
    found = Distribution.of(np.array([1.0, np.inf, np.nan, 3.0]))
    assert (found.n, found.n_left_out, found.mean, found.high) == (2, 2, 2.0, 3.0)
    nothing = Distribution.of(np.array([np.nan]))
    assert (nothing.n, nothing.n_left_out) == (0, 1)
    assert np.isnan(nothing.median)


def test_the_nearest_atoms_are_those_of_largest_kernel_over_all_frames(
    comparison: Comparison, models: tuple[SparseKernelModel, SparseKernelModel], frames: list[Atoms]
) -> None:
    given = gallium_arsenide(1, seed=77)[0]
    found = comparison.nearest(given, 10)
    model = models[1]
    X, Y = model.features(frames), model.features([given])
    kernels = (X @ Y.T) ** model.zeta
    kernels[comparison.species[:, None] != given.numbers[None, :]] = 0.0
    largest = kernels.max(axis=1)
    order = np.argsort(-largest)[:10]
    np.testing.assert_allclose(found.similarity, largest[order], rtol=1e-12)
    np.testing.assert_array_equal(found.enhancement, comparison.enhancement[order])
    np.testing.assert_array_equal(found.frame, comparison.frame[order])
    assert len(comparison.nearest([given], 10**6)) == len(comparison)


def test_an_atom_is_nearest_to_itself(comparison: Comparison) -> None:
    found = comparison.nearest(np.array([[2, 5]]), 3)
    assert (found.frame[0], found.atom[0]) == (2, 5)
    assert found.similarity[0] == pytest.approx(1.0, rel=1e-12)


def test_linear_models_are_compared_by_directions_of_features(frames: list[Atoms]) -> None:
    a, b = (LinearModel.fit(gallium_arsenide(n), hypers=HYPERS, regularizer=1e-2, energy_key="energy") for n in (5, 9))
    found = compare(a, b, frames)
    assert found.same_active_set is None
    assert found.residual_a is None
    assert found.nearest(frames[1], 1).similarity[0] == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"regularizer": 1e-2}, "regularizers differ"),
        ({"zeta": 3}, "kernels differ"),
        ({"seed": 5}, "active sets differ"),
    ],
)
def test_what_else_differs_is_said(options: dict[str, Any], says: str, frames: list[Atoms]) -> None:
    found = compare(fitted(gallium_arsenide(6)), fitted(gallium_arsenide(7), **options), frames[:1])
    assert any(says in sentence for sentence in found.differences.sentences())


def test_models_of_different_losses_are_refused(frames: list[Atoms]) -> None:
    with pytest.raises(InvalidInputError, match="rigidities have different scales; fit both with the same loss"):
        compare(fitted(), fitted(loss="per_atom"), frames)


@pytest.mark.parametrize(
    ("environments", "k", "says"),
    [
        ([[9, 0]], 3, "atom 0 of frame 9, which was not compared"),
        ([[0, 0]], 0, "k is 0; it must be at least 1"),
        ([], 3, "give pairs"),
    ],
)
def test_environments_that_there_are_not_are_refused(
    comparison: Comparison, environments: list[list[int]], k: int, says: str
) -> None:
    with pytest.raises(InvalidInputError, match=says):
        comparison.nearest(np.array(environments), k)


def test_files_hold_the_columns(comparison: Comparison, frames: list[Atoms], tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    for suffix in (".npz", ".h5", ".csv", ".extxyz"):
        comparison.save(tmp_path / f"found{suffix}")
    with np.load(tmp_path / "found.npz") as arrays:
        np.testing.assert_array_equal(arrays["enhancement"], comparison.enhancement)
    with h5py.File(tmp_path / "found.h5") as file:
        assert file.attrs["loss"] == "total"
        np.testing.assert_array_equal(file["atoms/lpr_held_b"][:], comparison.lpr_held_b)
    read = ase.io.read(tmp_path / "found.extxyz", ":")
    np.testing.assert_array_equal(read[1].arrays["lpr_enhancement"], comparison.enhancement[8:16])
    with (tmp_path / "found.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 2 * len(frames)
    those = (comparison.frame == 1) & (comparison.species == 33)
    assert (lines[3]["frame"], lines[3]["species"], lines[3]["atoms"]) == ("1", "As", "4")
    assert float(lines[3]["enhancement_mean"]) == pytest.approx(comparison.enhancement[those].mean())


def test_pictures_are_the_same_bytes_again(comparison: Comparison, frames: list[Atoms], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    nearest = comparison.nearest(frames[0], 5)
    for name in ("one.svg", "two.svg"):
        comparison.plot(tmp_path / name, nearest=nearest)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    with pytest.raises(InvalidInputError, match="give a name that ends in"):
        comparison.save(tmp_path / "found.docx")


def test_maps_have_the_colour_of_the_change(comparison: Comparison, tmp_path: Path) -> None:
    for package in ("sklearn", "chemiscope"):
        pytest.importorskip(package)
    content = json.loads(comparison.save(tmp_path / "map.chemiscope.json").read_text())
    values = content["properties"]["log10 of the change of the LPR"]["values"]
    places = zip(content["properties"]["frame"]["values"], content["properties"]["atom"]["values"], strict=True)
    assert comparison.enhancement_held is not None
    for value, (frame, atom) in zip(values, places, strict=True):
        assert value == pytest.approx(np.log10(1.0 + comparison.enhancement_held[8 * int(frame) + int(atom)]))
    with pytest.raises(InvalidInputError, match="give a name that ends in"):
        comparison.map(tmp_path / "map.h5")


def test_the_command_says_what_improved_and_writes_files(
    models: tuple[SparseKernelModel, SparseKernelModel], frames: list[Atoms], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    for name, model in zip("ab", models, strict=True):
        model.save(tmp_path / f"{name}.lpr")
    ase.io.write(tmp_path / "md.xyz", frames)
    ase.io.write(tmp_path / "near.xyz", frames[:1])
    paths = [str(tmp_path / name) for name in ("a.lpr", "b.lpr", "md.xyz")]
    result = CliRunner().invoke(command, ["compare", *paths, "--near", str(tmp_path / "near.xyz"), "-k", "4"])
    assert result.exit_code == 0, result.output
    for word in ("the models differ in their training sets only", "Ga ", "As ", "held", "4 atoms most similar", "next"):
        assert word in result.output
    assert (tmp_path / "md.compare.csv").exists()
    assert (tmp_path / "md.compare.png").exists()


def test_the_command_refuses_what_it_cannot_write(tmp_path: Path) -> None:
    fitted(silicon()).save(tmp_path / "a.lpr")
    a = str(tmp_path / "a.lpr")
    result = CliRunner().invoke(command, ["compare", a, a, "md.xyz", "-o", str(tmp_path / "x.txt")])
    assert result.exit_code == 2
    assert "give a name that ends in" in result.output


def test_what_is_rounding_alone_is_printed_as_no_change(tmp_path: Path) -> None:
    frames = [*gallium_arsenide(4), *silicon(4)]
    first = fitted(frames, hypers=HYPERS)
    first.save(tmp_path / "a.lpr")  # more silicon, which is no neighbour of gallium here
    fitted([*frames, *silicon(4, seed=50)], active_set=first, n_active=None).save(tmp_path / "b.lpr")
    ase.io.write(tmp_path / "md.xyz", gallium_arsenide(1, seed=9), format="extxyz")
    paths = [str(tmp_path / name) for name in ("a.lpr", "b.lpr", "md.xyz")]
    result = CliRunner().invoke(command, ["compare", *paths, "-o", str(tmp_path / "x.csv")])
    assert result.exit_code == 0, result.output
    assert "LPR +0 % (median; mean +0 %; 5 to 95 %: +0 % to +0 %)" in result.output
    assert "e-" not in result.output.split("atoms  ")[1].split("energies")[0]


def test_who_interrupts_is_told_which_files_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Comparison, "plot", interrupted)
    monkeypatch.chdir(tmp_path)
    fitted(silicon()).save("a.lpr")
    ase.io.write("md.xyz", silicon(1, seed=9), format="extxyz")
    for outputs, said in ((["x.csv", "x.npz", "x.png"], "x.csv, x.npz"), (["x.png"], "no file")):
        named = [word for output in outputs for word in ("-o", output)]
        result = CliRunner().invoke(command, ["compare", "a.lpr", "a.lpr", "md.xyz", *named])
        assert result.exit_code == 130
        assert f"lpr-fast: interrupted; written before: {said}.\n" in result.output


def test_what_cannot_be_read_twice_or_written_is_told_before_anything_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fitted(silicon()).save("a.lpr")
    ase.io.write("md.xyz", silicon(1, seed=9), format="extxyz")
    given = Path("md.xyz").read_text()
    for arguments in (["compare", "a.lpr", "a.lpr", "-", "--near", "-"], ["map", "a.lpr", "-", "--prototypes", "-"]):
        result = CliRunner().invoke(command, [*arguments, "-o", "x.png"], input=given)
        assert result.output == "lpr-fast: standard input (-) can be read only once; name a file for the others.\n"
    monkeypatch.setattr("os.access", lambda _, mode: mode != os.W_OK)  # a folder of somebody else: root may write there
    result = CliRunner().invoke(command, ["compare", "a.lpr", "a.lpr", "md.xyz", "-o", "x.csv"])
    assert result.output == "lpr-fast: the folder of x.csv cannot be written to; name a file in another one.\n"
