"""Scores as tables: data frames, archives, notebooks."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lpr_fast import LinearModel, LocalScores, SparseKernelModel

from .structures import fitted, gallium_arsenide

X = np.abs(np.random.default_rng(5).normal(size=(24, 4)))
SPECIES = np.repeat([6, 14], 12)
ENERGIES = np.random.default_rng(6).normal(size=4)


def scores(**options: object) -> LocalScores:
    model = SparseKernelModel.from_arrays(X, SPECIES, np.arange(24) % 4, regularizer=0.1, n_active=5, **options)
    return model.score_features(X, SPECIES)


@pytest.mark.parametrize("energies", [None, ENERGIES])
def test_a_data_frame_of_scores_has_every_column_that_there_is(energies: np.ndarray | None) -> None:
    found = scores(energies=energies)
    frame = pd.DataFrame(found)
    expected = {name: values for name, values in vars(found).items() if values is not None}
    assert list(frame.columns) == list(expected)
    assert ("local_energy" in frame) == (energies is not None)
    assert len(frame) == len(found) == 24
    for name, values in expected.items():
        np.testing.assert_array_equal(frame[name], values)


def test_scores_of_structures_say_where_the_atoms_are() -> None:
    frames = gallium_arsenide()[:2]
    found = fitted(frames, n_active=6, zeta=2).score(frames)
    table = pd.DataFrame(found)
    np.testing.assert_array_equal(table[table.frame == 1].lpr, found.lpr[found.frame == 1])
    assert list(pd.DataFrame(found.select(slice(0, 0))).columns) == list(table.columns)


def test_scores_go_into_archives_and_through_pickles(tmp_path: Path) -> None:
    found = scores()
    np.savez(tmp_path / "scores.npz", **found)
    with np.load(tmp_path / "scores.npz") as archive:
        assert sorted(archive) == sorted(found)
    again = pickle.loads(pickle.dumps(found))
    assert list(again) == list(found)
    np.testing.assert_array_equal(again.lpr, found.lpr)
    np.testing.assert_array_equal(again["lpr"], found.lpr)


def test_notebooks_show_scores_and_models() -> None:
    found = scores()
    html = found._repr_html_()
    assert f"{found.lpr.min():.6g}" in html
    assert html.count("<tr>") == 1 + len(found.keys())
    assert "nan" in found.select(slice(0, 0))._repr_html_()
    model = LinearModel.from_arrays(X, SPECIES, np.arange(24) % 4, regularizer=0.1)
    assert "<td>LinearModel, species C, Si</td>" in model._repr_html_()
    assert "<caption>LinearModel</caption>" in model._repr_html_()
