"""The model files that the C++ tests read: what stands beside them is what NumPy makes of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from lpr_fast import _core
from lpr_fast.models import _archive
from lpr_fast.models._reference import Reference

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "cpp" / "tests" / "data"
# An earlier version made this one: the tool cannot.
OLD = Path("v1", "structures", "soap.lpr")
FILES = sorted(path.relative_to(FOLDER) for path in FOLDER.rglob("*.lpr") if path.relative_to(FOLDER) != OLD)
# Columns of the tables of expected scores.
TABLE = ("lpr", "lpr_held", "variance", "sigma", "residual", "local_energy", "percentile", "verdict", "spread")

FEATURES = [name for name in FILES if name.parent.name != "structures"]
CURRENT = [name for name in FILES if name.parent == Path()]
BOTH = [name for name in CURRENT if Path("v1", name) in FILES]


def read(path: Path) -> _core.Model:
    return _core.Model.from_bytes(path.read_bytes(), str(path))


def text_of(path: Path) -> dict[str, Any]:
    with safetensors.safe_open(path, "np") as file:
        return {**json.loads(file.metadata()["model"]), "version": file.metadata()["format_version"]}


def products_of(arrays: dict[str, Any]) -> dict[str, Any]:
    """Arrays of a file with R^T R in place of every R and the order of its columns, in which rounding has a say.

    In place of held directions D, whose signs are nobody's choice, stands what they take off: D^T (1 - left) D.
    """
    for name in [name for name in arrays if name.endswith(".directions")]:
        taken = 1.0 - arrays.pop(name.replace(".directions", ".left"))
        arrays[name] = arrays[name].T @ (taken[:, None] * arrays[name])
    triangles = [name for name in arrays if name.endswith(".triangle")]
    columns = {name: arrays.pop(name.replace(".triangle", ".columns")) for name in triangles}
    for name in triangles:
        R = arrays[name][:, np.argsort(columns[name])]
        arrays[name] = R.T @ R
        arrays[name.replace(".triangle", ".columns")] = np.sort(columns[name])
    return arrays


@pytest.fixture(scope="module")
def made_again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    subprocess.run([sys.executable, ROOT / "tools" / "cpp_models.py", folder], check=True)
    return folder


def without_reference(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays but for those that count scores, and the zeros between them, of which there are as many as arrays."""
    return {name: array for name, array in arrays.items() if not name.startswith(("reference.", "_padding."))}


def compare_references(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    """Rounding may put a score into the next bin, or into another one where it is rounding of zero."""
    counted, wanted = Reference.from_arrays(found), Reference.from_arrays(expected)
    assert (counted.columns, counted.species) == (wanted.columns, wanted.species)
    for column in wanted.columns:
        for species in wanted.species:
            for share in (0.0, 0.5, 1.0):
                of_both = (reference.quantile(column, share, species) for reference in (counted, wanted))
                np.testing.assert_allclose(*of_both, rtol=2e-3, atol=1e-12, err_msg=column)


@pytest.mark.parametrize("name", FILES, ids=str)
def test_the_tool_makes_the_same_files_again(name: Path, made_again: Path) -> None:
    """But for what rounding differs by between instruction sets."""
    arrays = safetensors.numpy.load_file(made_again / name)
    facts, facts_expected = text_of(made_again / name), text_of(FOLDER / name)
    factors, factors_expected = facts.pop("factors"), facts_expected.pop("factors")
    assert facts == facts_expected
    assert list(factors) == list(factors_expected)
    for factor, parts in factors.items():
        exact = np.linalg.cond(arrays[f"{factor}.triangle"])
        assert 0.5 * exact <= parts["condition_number"] <= 1.01 * exact
    arrays_expected = safetensors.numpy.load_file(FOLDER / name)
    compare_references(arrays, arrays_expected)
    found, expected = products_of(without_reference(arrays)), products_of(without_reference(arrays_expected))
    assert list(found) == list(expected)
    for array, values in expected.items():
        np.testing.assert_allclose(found[array], values, rtol=1e-9, atol=1e-12, err_msg=array)


@pytest.mark.parametrize("name", FEATURES, ids=str)
def test_scores_are_what_numpy_makes_of_the_definitions(name: Path) -> None:
    table = np.loadtxt((FOLDER / name.name).with_suffix(".txt"))
    n = len(TABLE)
    species, features, expected = table[:, 0].astype(np.int32), table[:, 1:-n].copy(), table[:, -n:]
    scores = read(FOLDER / name).score(features, species, 1)
    if name.parent != Path():  # version 1 knew no reference
        expected[:, [TABLE.index("percentile"), TABLE.index("verdict")]] = np.nan
    found = [scores.get(column, np.full(len(table), np.nan)) for column in TABLE]
    for column, values, wanted in zip(TABLE, found, expected.T, strict=True):
        # Across a bin, a thousandth of the LPR, the percentile may go from one environment to the next.
        rtol = 1e-9 if column == "percentile" else 1e-12
        np.testing.assert_allclose(values, wanted, rtol=rtol, atol=1e-12, err_msg=column)


def test_structures_have_the_scores_that_numpy_makes_of_the_definitions() -> None:
    _, sizes, cell, periodic, *lines = (FOLDER / "structures" / "soap.txt").read_text().splitlines()
    n_atoms, n_centers = map(int, sizes.split())
    atoms = np.loadtxt(lines[:n_atoms])
    structure = _core.Structure(
        atoms[:, 1:].copy(),
        atoms[:, 0].astype(np.int32),
        np.array(cell.split(), dtype=float).reshape(3, 3),
        np.array(periodic.split(), dtype=int).astype(bool),
        [14, 31],
        3.5,
        "the structure",
    )
    scorer = _core.SoapScorer(read(FOLDER / "structures" / "soap.lpr"))
    scores = scorer.score([structure], [list(range(n_centers))], mark_unknown=False, n_threads=1)
    np.testing.assert_allclose(
        np.stack([scores[c] for c in TABLE], axis=1), np.loadtxt(lines[n_atoms:]), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("name", CURRENT, ids=str)
def test_what_is_read_is_written_again_byte_by_byte(name: Path) -> None:
    assert _archive.to_bytes(read(FOLDER / name)) == (FOLDER / name).read_bytes()


@pytest.mark.parametrize("name", BOTH, ids=str)
def test_files_of_version_1_are_written_again_in_version_2(name: Path) -> None:
    text, arrays = read(FOLDER / "v1" / name).parts()
    facts, current = json.loads(text), text_of(FOLDER / name)
    again = _core.Model.from_parts(text, arrays)
    assert again.text == text
    assert "hypers" not in facts
    if facts["descriptor"] is not None:
        assert facts["descriptor"].items() <= current["descriptor"].items()
    for array, values in arrays.items():
        np.testing.assert_array_equal(values, safetensors.numpy.load_file(FOLDER / name)[array])


def test_sections_that_nobody_knows_are_kept() -> None:
    text, arrays = read(FOLDER / "linear.lpr").parts()
    extended = json.dumps(json.loads(text) | {"moon": {"phase": "full"}})
    model = _core.Model.from_parts(extended, arrays | {"moon.craters": np.array([[1.0, np.nan]])})
    kept_text, kept_arrays = model.parts()
    assert json.loads(kept_text)["moon"] == {"phase": "full"}
    np.testing.assert_array_equal(kept_arrays["moon.craters"], [[1.0, np.nan]])
