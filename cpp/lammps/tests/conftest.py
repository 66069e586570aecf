"""LAMMPS, to be run in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from lammps_runs import Lammps
from tests import sampled  # noqa: F401


@pytest.fixture
def lammps(tmp_path: Path) -> Lammps:
    return Lammps(tmp_path)
