"""Maps of environments."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase.neighborlist import neighbor_list
from click.testing import CliRunner, Result

from lpr_fast import (
    InvalidInputError,
    LinearModel,
    SparseKernelModel,
    environment_map,
    load_model,
    single_environment,
)
from lpr_fast.command_line._commands import lpr_fast
from lpr_fast.writing._map import kernel_map, side_by_side

from .structures import HYPERS, fitted, gallium_arsenide, rattled, silicon

ONE = np.full(400, 14)


def by_singular_values(rows: np.ndarray) -> np.ndarray:
    """Principal components of rows whose scalar products are the kernels."""
    u, s, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    found = (u * s)[:, :3]
    return found * np.sign(found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])])


def explicit(features: np.ndarray, zeta: int) -> np.ndarray:
    """Products of zeta normalised features, in all orders: their scalar products are the kernels."""
    rows = features / np.linalg.norm(features, axis=1, keepdims=True)
    found = rows
    for _ in range(zeta - 1):
        found = (found[:, :, None] * rows[:, None, :]).reshape(len(rows), -1)
    return found


# The coordinates


@pytest.mark.parametrize("zeta", [1, 2, 3])
@pytest.mark.parametrize("shape", [(300, 6), (40, 9), (4, 7)])
def test_the_map_is_that_of_the_features_whose_products_are_the_kernels(shape: tuple[int, int], zeta: int) -> None:
    features = np.random.default_rng(3).normal(size=shape) * 0.8 ** np.arange(shape[1]) + 1.0
    expected = by_singular_values(explicit(features, zeta))
    found = kernel_map(features, ONE[: len(features)], zeta)
    np.testing.assert_allclose(found, expected, atol=3e-7)


def test_species_have_maps_of_their_own_side_by_side() -> None:
    features = np.random.default_rng(5).random((60, 8))
    numbers = np.tile([31, 33, 33], 20)
    found = kernel_map(features, numbers, 2)
    for s in (31, 33):
        assert (
            found[numbers == s].tolist() == kernel_map(features[numbers == s], ONE[: (numbers == s).sum()], 2).tolist()
        )
    x = side_by_side(found, numbers)
    assert x[numbers == 31].max() < x[numbers == 33].min()
    np.testing.assert_allclose(x[numbers == 31], found[numbers == 31, 0])
    np.testing.assert_allclose(np.diff(x[numbers == 33]), np.diff(found[numbers == 33, 0]), atol=2e-7)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_equal_environments_are_one_point_of_the_map(n: int) -> None:
    np.testing.assert_array_equal(kernel_map(np.full((n, 4), 0.3), ONE[:n], 4), np.zeros((n, 3)))


def test_nothing_has_an_empty_map() -> None:
    assert kernel_map(np.zeros((0, 4)), ONE[:0], 4).shape == (0, 3)


def test_the_map_has_the_same_bits_in_processes_of_any_number_of_threads() -> None:
    code = """
import sys, numpy as np
from lpr_fast.writing._map import kernel_map
features = np.random.default_rng(4).random((400, 30))
sys.stdout.write(kernel_map(features, np.full(400, 6), 4).tobytes().hex())
"""
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for threads in ("1", "2", "3")
    }
    assert len(found) == 1


# The call


def test_the_map_has_the_scores_and_the_places_of_its_environments() -> None:
    frames, model = gallium_arsenide(6, seed=80), fitted(gallium_arsenide())
    found, scores = environment_map(model, frames, n_environments=20), model.score(frames)
    index = 8 * found.frame + found.atom
    assert len(set(index.tolist())) == 20
    for name in ("lpr", "lpr_held", "variance", "residual", "local_energy", "percentile"):
        assert found.columns[name].tolist() == getattr(scores, name)[index].tolist()
    assert set(index[found.is_lowest]) == set(np.argsort(scores.lpr_held)[:10])
    numbers = np.concatenate([frame.numbers for frame in frames])[index]
    assert found.species.tolist() == numbers.tolist()
    assert found.colour == "lpr_held"
    expected = kernel_map(model.features(frames)[index], numbers, model.zeta)
    assert found.coordinates.tolist() == expected.tolist()


def test_a_linear_model_compares_directions_of_features() -> None:
    frames = silicon(3)
    model = LinearModel.fit(frames, hypers=HYPERS, regularizer=1e-3)
    found = environment_map(model, frames)
    np.testing.assert_allclose(
        found.coordinates, by_singular_values(explicit(model.features(frames), 1))[:, :3], atol=3e-7
    )


def test_seeds_draw_others_and_the_same_again(model: SparseKernelModel) -> None:
    frames = silicon(20, seed=30)
    places = [
        list(zip(found.frame.tolist(), found.atom.tolist(), found.is_lowest.tolist(), strict=True))
        for found in (environment_map(model, frames, n_environments=30, seed=seed) for seed in (0, 0, 1))
    ]
    assert places[0] == places[1]
    assert places[0] != places[2]
    lowest = [{place[:2] for place in of if place[2]} for of in places]
    assert lowest[0] == lowest[2]


def test_coordination_counts_neighbours_by_radii_or_within_a_distance(model: SparseKernelModel) -> None:
    frames = silicon(2)
    for radius in (None, 2.5, 4.0):
        reach = 1.25 * 2 * 1.11 if radius is None else radius
        expected = np.concatenate([np.bincount(neighbor_list("i", frame, reach), minlength=8) for frame in frames])
        found = environment_map(model, frames, colour="coordination", radius=radius)
        assert found.columns["coordination"].tolist() == expected.tolist()


def test_any_array_is_a_colour(model: SparseKernelModel) -> None:
    frames = silicon(3)
    values = np.arange(24) / 7
    for frame, of in zip(frames, np.split(values, 3), strict=True):
        frame.arrays["depth"] = of
    for given in ("depth", values, values.tolist()):
        found = environment_map(model, frames, colour=given, n_environments=10)
        assert found.columns[found.colour].tolist() == values[8 * found.frame + found.atom].tolist()


def test_similarities_to_prototypes_are_columns(model: SparseKernelModel) -> None:
    frames = silicon(3)
    prototypes = single_environment("diamond Si", 2)
    found = environment_map(model, frames, prototypes=prototypes, n_environments=10)
    expected = model.similarity(frames, prototypes)[8 * found.frame + found.atom]
    for k, prototype in enumerate(prototypes):
        name = f"similarity {prototype.info['name']}"
        np.testing.assert_allclose(found.columns[name], expected[:, k], rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"colour": "height"}, "there is no 'height' to colour the map by; give one of lpr, "),
        ({"colour": [1.0, 2.0]}, "colour has 2 values for 16 atoms; give one for each."),
        ({"n_environments": 0}, "n_environments is 0; ask for at least one."),
        ({"seed": -1}, "seed is -1; it must not be negative."),
        ({"radius": -1.0}, "radius is -1; it must be positive and finite"),
    ],
)
def test_what_cannot_be_laid_out_is_refused(model: SparseKernelModel, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        environment_map(model, silicon(2), **options)
    assert expected in str(caught.value)


def test_one_environment_and_one_prototype_are_enough(model: SparseKernelModel) -> None:
    found = environment_map(model, silicon(2), n_environments=1, prototypes=silicon(1)[0])
    assert found.coordinates.tolist() == [[0.0, 0.0, 0.0]]
    (name,) = [name for name in found.columns if name.startswith("similarity")]
    expected = model.similarity(silicon(2), silicon(1))[8 * found.frame + found.atom, 0]
    np.testing.assert_allclose(found.columns[name], expected, rtol=1e-12)


def test_maps_are_written_for_chemiscope_and_as_pictures(model: SparseKernelModel, tmp_path: Path) -> None:
    frames = [*silicon(2), *(rattled(frame, 9, by=0.4) for frame in silicon(1))]
    for colour in (None, "coordination", "residual"):
        found = environment_map(model, frames, colour=colour)
        for suffix in (".png", ".svg", ".chemiscope.json.gz"):
            first, second = (found.save(tmp_path / f"{k}{suffix}") for k in (1, 2))
            if suffix != ".chemiscope.json.gz":  # it holds the name of its file
                assert first.read_bytes() == second.read_bytes()
        data = json.loads(gzip.decompress((tmp_path / "1.chemiscope.json.gz").read_bytes()))
        properties = data["properties"]
        shown = np.log10(found.columns["lpr"]) if colour is None else found.columns[colour]
        assert properties["colour"]["values"] == shown.tolist()
        assert properties["KPCA[1]"]["values"] == found.coordinates[:, 0].tolist()
        assert data["settings"]["pinned"] == [int(found.columns["lpr"].argmin())]
    with pytest.raises(InvalidInputError, match=r"ends in \.png, \.pdf, \.svg, \.chemiscope\.json"):
        found.save(tmp_path / "map.txt")


# The command


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(lpr_fast, ["map", *(str(argument) for argument in arguments)])


def test_the_command_lays_out_what_the_call_does(tmp_path: Path) -> None:
    frames = gallium_arsenide(4)
    fitted(frames).save(tmp_path / "m.lpr")
    ase.io.write(tmp_path / "md.xyz", frames, format="extxyz")
    ase.io.write(tmp_path / "p.xyz", single_environment("zincblende GaAs", 1), format="extxyz")
    outputs = [tmp_path / "map.png", tmp_path / "map.chemiscope.json"]
    result = run(
        *(tmp_path / "m.lpr", tmp_path / "md.xyz", "-o", outputs[0], "-o", outputs[1]),
        *("--colour", "coordination", "--prototypes", tmp_path / "p.xyz", "--n-environments", 12),
    )
    assert result.exit_code == 0, result.output
    assert "12 environments: 6 of lowest LPR" in result.output
    read = ase.io.read(tmp_path / "md.xyz", ":")
    expected = environment_map(
        load_model(tmp_path / "m.lpr"), read, colour="coordination", n_environments=12, prototypes=[frames[0]]
    )
    properties = json.loads(outputs[1].read_text())["properties"]
    assert properties["KPCA[2]"]["values"] == expected.coordinates[:, 1].tolist()
    assert sum(name.startswith("similarity zincblende_GaAs-0000-") for name in properties) == 1
    assert outputs[0].stat().st_size > 1000


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["-o", "x.txt"], "x.txt has no known format; give a name that ends in .png, .pdf, .svg, .chemiscope.json or"),
        (["-o", "x.png", "--colour", "height"], "there is no 'height' to colour the map by"),
        (["-o", "md.png", "--prototypes", "none.xyz"], "none.xyz: No such file"),
    ],
)
def test_the_command_refuses_in_one_sentence(
    given: list[str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fitted().save("m.lpr")
    ase.io.write("md.xyz", silicon(1), format="extxyz")
    before = set(tmp_path.iterdir())
    result = run("m.lpr", "md.xyz", *given)
    assert result.exit_code == 2
    assert expected in result.output
    assert len(result.output.splitlines()) == 1
    assert set(tmp_path.iterdir()) == before
