"""One vocabulary: a score has the same name wherever it stands."""

from __future__ import annotations

from pathlib import Path

import ase.io
import h5py
import numpy as np
import pytest
from ase.calculators.lj import LennardJones

from lpr_fast import LprCalculator, SparseKernelModel, score_trajectory
from lpr_fast.models._columns import COLUMNS, columns_of, prefixed_columns_of
from lpr_fast.models._scores import LocalScores, all_columns

from .structures import fitted, gallium_arsenide, with_committee

NAMES = ["lpr", "lpr_held", "variance", "sigma", "residual", "local_energy", "percentile", "verdict", "spread"]
PREFIXED = ["lpr", "lpr_held", *(f"lpr_{name}" for name in NAMES[2:])]


@pytest.fixture(scope="module")
def model() -> SparseKernelModel:
    """Of two species, calibrated and with members: it has every column."""
    return with_committee(fitted(gallium_arsenide()).calibrate(gallium_arsenide(3, seed=50)))


def test_the_table_has_every_attribute_of_the_scores_in_their_order() -> None:
    assert [column.name for column in COLUMNS] == list(LocalScores.__dataclass_fields__) == NAMES
    assert [column.prefixed for column in COLUMNS] == PREFIXED
    assert all(column.unit and column.text for column in COLUMNS)


def test_scores_that_a_model_does_not_have_are_no_columns() -> None:
    scores = LocalScores(**all_columns({"lpr": np.ones(2), "variance": np.ones(2)}))
    assert list(columns_of(scores)) == ["lpr", "variance"]
    assert list(prefixed_columns_of(scores)) == ["lpr", "lpr_variance"]
    assert scores.select(slice(1)).residual is None


def test_files_of_scores_have_the_names_and_structures_the_prefixed_ones(
    model: SparseKernelModel, tmp_path: Path
) -> None:
    outputs = [tmp_path / name for name in ("out.h5", "out.npz", "out.extxyz")]
    score_trajectory(model, gallium_arsenide(2), outputs)
    with h5py.File(outputs[0]) as file:
        assert sorted(file["atoms"]) == sorted([*NAMES, "species"])
        assert {name: file["atoms"][name].attrs["unit"] for name in NAMES} == {c.name: c.unit for c in COLUMNS}
    with np.load(outputs[1]) as arrays:
        of_totals = ["lpr_total", "sigma_total", "frame_of_total"]
        assert sorted(arrays) == sorted([*NAMES, "frame", "atom", "species", *of_totals])
    written = ase.io.read(outputs[2])
    atoms = gallium_arsenide(1)[0]
    atoms.calc = LprCalculator(LennardJones(), model)
    atoms.get_potential_energy()
    for frame in (written, atoms):
        assert [name for name in frame.arrays if name.startswith("lpr")] == PREFIXED
