"""Every example in the docstrings of the package runs and prints what it shows."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import lpr_fast

PACKAGE = Path(lpr_fast.__file__).parent
WITH_EXAMPLES = sorted(
    ".".join(["lpr_fast", *path.relative_to(PACKAGE).with_suffix("").parts])
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text()
)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_docstrings_print_what_they_show(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0


def test_the_main_entry_points_have_examples() -> None:
    names = ["Committee", "HessianAccumulator", "LinearModel", "Rigidity", "SparseKernelModel", "TrainingRows"]
    for name in names:
        assert ">>> " in getattr(lpr_fast, name).__doc__, name
    assert ">>> " in str(lpr_fast.load_model.__doc__)
