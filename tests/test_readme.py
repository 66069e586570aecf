"""The code in README.md runs as it stands there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import lpr_fast

README = Path(__file__).parents[1] / "README.md"


DATA = Path(lpr_fast.__file__).parent / "demo_data"


def test_the_examples_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("train.xyz", "trajectory.xyz"):
        shutil.copy(DATA / name, tmp_path / name)
    rng = np.random.default_rng(8)
    features, active = rng.random((30, 9)), rng.random((5, 9))
    k_nm = (features @ active.T) ** 2
    other = lpr_fast.HessianAccumulator(5)
    other.add(k_nm)
    given = {
        "HessianAccumulator": lpr_fast.HessianAccumulator,
        "K_NM": k_nm,
        "K_MM": (active @ active.T) ** 2,
        "k": k_nm[:4],
        "more_rows": k_nm,
        "columns": [1, 3],
        "H": features.T @ features,
        "jacobian_rows": features,
        "M": 5,
        "blocks": np.split(k_nm, 3),
        "other": other,
    }
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(blocks) == 5
    for block in blocks:
        exec(block, given)
