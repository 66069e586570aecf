"""Noise in the convention of gap_fit, against the numbers that gap_fit itself writes, where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms

from lpr_fast import read_gap_fit

from .structures import gallium_arsenide, silicon

GAP_FIT = os.environ.get("LPR_FAST_GAP_FIT") or shutil.which("gap_fit")
COMMAND = (
    "at_file=train.xyz gap={soap n_max=3 l_max=2 atom_sigma=0.5 cutoff=3.5 zeta=2 delta=1.0 n_sparse=5 "
    "covariance_type=dot_product sparse_method=cur_points} e0=0.0 default_sigma={0.01 0.1 0.5 0} "
    "config_type_sigma={liquid:0.02:0.2:0.6:0.0} do_copy_at_file=F linear_system_dump_file=dump"
)

# Of the virial gap_fit has xx, xy, xz, yy, yz, zz.
ORDER = [0, 5, 4, 1, 3, 2]

pytestmark = pytest.mark.skipif(
    GAP_FIT is None, reason="no gap_fit: pip install quippy-ase in another environment, and name it in LPR_FAST_GAP_FIT"
)


def frames() -> list[Atoms]:
    """Structures of different sizes, groups, deviations of their own, and a masked atom."""
    rng = np.random.default_rng(0)
    cell = silicon(1)[0]
    found = [cell, cell.repeat((2, 1, 1)), *silicon(1, seed=3), *gallium_arsenide(1)]
    for frame in found:
        frame.calc = None
        virial = rng.normal(size=(3, 3))
        frame.info |= {"energy": rng.normal(), "virial": virial + virial.T}
        frame.new_array("force", rng.normal(size=(len(frame), 3)))
    found[1].info["config_type"] = "liquid"
    found[2].info |= {"energy_sigma": 0.3, "virial_sigma": 0.4}
    found[2].new_array("force_atom_sigma", np.linspace(0.1, 0.8, len(found[2])))
    found[2].new_array("force_mask", np.arange(len(found[2])) == 1)
    return found


@pytest.mark.parametrize("option", ["", " sigma_per_atom=F"])
def test_every_label_has_the_deviation_that_gap_fit_gives_it(option: str, tmp_path: Path) -> None:
    given = frames()
    ase.io.write(tmp_path / "train.xyz", given, format="extxyz", write_results=False)
    words = [*COMMAND.split(), *option.split()]
    subprocess.run([str(GAP_FIT), *words], cwd=tmp_path, check=True, capture_output=True, timeout=300)
    noise = read_gap_fit(COMMAND + option, species=["Si", "Ga", "As"]).options["sigma"]
    each = [noise.of(frame) for frame in ase.io.read(tmp_path / "train.xyz", ":")]
    energies = np.array([of_frame.energy for of_frame in each])
    others = np.concatenate([[*of_frame.force.ravel(), *of_frame.virial[ORDER]] for of_frame in each])
    variances = np.loadtxt(tmp_path / "dump_lambda.0")
    expected = np.concatenate([energies, others[~np.isnan(others)]]) ** 2
    np.testing.assert_allclose(variances, expected, rtol=1e-12)
