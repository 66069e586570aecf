"""The model files that the C++ tests read: what stands beside them is what Python scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lpr_fast.models import _archive

FOLDER = Path(__file__).resolve().parent.parent / "cpp" / "tests" / "data"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.lpr")), ids=lambda path: path.stem)
def test_scores_that_cpp_is_compared_with_are_those_of_python(path: Path) -> None:
    model, _ = _archive.read(path)
    table = np.loadtxt(path.with_suffix(".txt"))
    species, features, expected = table[:, 0].astype(np.int64), table[:, 1:-4], table[:, -4:]
    scores = model.score(model.basis.prepare(features), species, 1)
    found = [np.full(len(table), np.nan) if column is None else column for column in scores]
    np.testing.assert_allclose(np.stack(found, axis=1), expected, rtol=1e-12, atol=1e-12)
