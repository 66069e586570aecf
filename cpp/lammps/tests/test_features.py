"""Linear models of another compute's features, here the bispectrum components of SNAP."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lammps_runs import GALLIUM_NITRIDE, Lammps, dump

from lpr_fast import Rigidity
from lpr_fast.models import _archive
from lpr_fast.models._basis import LinearBasis
from lpr_fast.models._local_model import LocalModel

# SNAP's own potential is not needed, but pairs as far apart as it looks.
NITRIDE = GALLIUM_NITRIDE.replace("tersoff\n", "zero 4.2\n", 1).replace("{pot}/GaN.tersoff Ga N", "")
SNAP = "compute snap all sna/atom 4.0 0.99363 4 0.5 0.4 1.0 0.8\n"  # twojmax 4: 14 components
N_FEATURES = 14


@pytest.fixture
def model(lammps: Lammps) -> LocalModel:
    """A model of the bispectrum components that LAMMPS itself computes, one block of weights for each species."""
    basis = LinearBasis((7, 31), N_FEATURES)
    rows = []
    for seed in range(3):
        script = NITRIDE.replace("87287", str(87287 + seed)) + SNAP + dump("c_snap[*]", "Ga N")
        run = lammps.succeed(script + "run 0\n")
        features = np.array([run.column(f"c_snap[{k + 1}]") for k in range(N_FEATURES)]).T
        numbers = run.frames[0].numbers
        rows.append(np.concatenate([features[numbers == s].sum(axis=0) for s in basis.species]))
    rigidity = Rigidity.from_features(np.array(rows), regularizer=1e-2)
    local = LocalModel.assemble(basis, rigidity, baseline=None, loss="total", provenance={}, n_threads=1)
    Path(lammps.folder / "model.lpr").write_bytes(_archive.to_bytes(local, None))
    return local


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_model_of_snap_components(lammps: Lammps, model: LocalModel, ranks: int) -> None:
    script = NITRIDE + SNAP + "compute lpr all lpr/atom model.lpr Ga N features c_snap quantity variance lpr\n"
    script += dump("c_lpr[*] c_snap[*]", "Ga N") + "run 0\n"
    run = lammps.succeed(script, ranks=ranks)
    features = np.array([run.column(f"c_snap[{k + 1}]") for k in range(N_FEATURES)]).T
    expected = model.score(features, run.frames[0].numbers.astype(np.int64), 1)
    np.testing.assert_allclose(run.column("c_lpr[1]"), expected.variance, rtol=1e-8)
    np.testing.assert_allclose(run.column("c_lpr[2]"), expected.lpr, rtol=1e-8)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("compute lpr all lpr/atom model.lpr Ga N", "add 'features c_ID'"),
        ("compute lpr all lpr/atom model.lpr Ga N features c_other", "there is no compute other"),
        ("compute lpr all lpr/atom model.lpr Ga N features snap", "give a compute with per-atom features as c_ID"),
        ("compute lpr all lpr/atom model.lpr Ga N features c_keatom", "gives 0 columns for each atom"),
        ("compute lpr all lpr/atom model.lpr Ga N features c_snap quantity residual", "linear and has no residual"),
        ("compute lpr all lpr/atom model.lpr Ga N features c_snap quantity energy", "fitted without energies"),
    ],
)
@pytest.mark.usefixtures("model")
def test_features_that_do_not_fit_are_refused(lammps: Lammps, line: str, message: str) -> None:
    run = lammps.run(NITRIDE + SNAP + "compute keatom all ke/atom\n" + line + "\nrun 0\n")
    assert run.code != 0
    assert message in run.output
