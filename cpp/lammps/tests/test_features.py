"""Linear models of another compute's features, here the bispectrum components of SNAP."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from lammps_runs import GALLIUM_NITRIDE, Lammps, Run, dump

from lpr_fast import LinearModel

# The potential of SNAP is not needed, but pairs within its cutoff are.
NITRIDE = GALLIUM_NITRIDE.replace("tersoff\n", "zero 4.2\n", 1).replace("{pot}/GaN.tersoff Ga N", "")
SNAP = "compute snap all sna/atom 4.0 0.99363 4 0.5 0.4 1.0 0.8\n"  # twojmax 4: 14 components
N_FEATURES = 14


def components(run: Run) -> np.ndarray:
    return np.array([run.column(f"c_snap[{k + 1}]") for k in range(N_FEATURES)]).T


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> LinearModel:
    """A model of bispectrum components computed by LAMMPS."""
    lammps = Lammps(tmp_path_factory.mktemp("fitted"))
    features, numbers, structure = [], [], []
    for seed in range(3):
        script = NITRIDE.replace("87287", str(87287 + seed)) + SNAP + dump("c_snap[*]", "Ga N")
        run = lammps.succeed(script + "run 0\n")
        features.append(components(run))
        numbers.append(run.frames[0].numbers)
        structure.append(np.full(len(run.frames[0]), seed))
    species = np.concatenate(numbers)
    return LinearModel.from_arrays(
        np.concatenate(features), species, np.concatenate(structure), regularizer=1e-2, energies=[-3.0, -2.0, -2.5]
    )


@pytest.fixture
def model(fitted: LinearModel, lammps: Lammps) -> LinearModel:
    """The same, where LAMMPS runs."""
    fitted.save(lammps.folder / "model.lpr")
    return fitted


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_model_of_snap_components(lammps: Lammps, model: LinearModel, ranks: int) -> None:
    script = (
        NITRIDE + SNAP + "compute lpr all lpr/atom model.lpr Ga N features c_snap quantity local_energy variance lpr\n"
    )
    script += dump("c_lpr[*] c_snap[*]", "Ga N") + "run 0\n"
    run = lammps.succeed(script, ranks=ranks)
    expected = model.score_features(components(run), run.frames[0].numbers)
    for column, name in enumerate(("local_energy", "variance", "lpr"), start=1):
        np.testing.assert_allclose(run.column(f"c_lpr[{column}]"), getattr(expected, name), rtol=1e-8, err_msg=name)


@pytest.mark.parametrize("kind", ["array", "function"])
def test_models_of_structures_that_carry_features_or_were_described_by_a_function(lammps: Lammps, kind: str) -> None:
    run = lammps.succeed(NITRIDE + SNAP + dump("c_snap[*]", "Ga N") + "run 0\n")
    frame = Atoms(run.frames[0].numbers, run.frames[0].positions, info={"energy": -3.0})
    frame.arrays["snap"] = components(run)
    descriptor = "snap" if kind == "array" else lambda frames: [frame.arrays["snap"] for frame in frames]
    fitted = LinearModel.fit([frame], descriptor=descriptor, regularizer=1e-2)
    fitted.save(lammps.folder / "model.lpr")
    script = NITRIDE + SNAP + "compute lpr all lpr/atom model.lpr Ga N features c_snap\n"
    run = lammps.succeed(script + dump("c_lpr", "Ga N") + "run 0\n")
    np.testing.assert_allclose(run.column("c_lpr"), fitted.score(frame).lpr, rtol=1e-8)
    assert "add 'features c_ID'" in lammps.run(script.replace(" features c_snap", "") + "run 0\n").output


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "add 'features c_ID'"),
        ("features c_other", "there is no compute other"),
        ("features snap", "features is 'snap'; give a compute of per-atom features as c_ID."),
        ("features c_keatom", "gives 0 columns for each atom"),
        ("features c_snap c_keatom", "features takes one compute"),
        ("features c_snap quantity residual", "linear models have no residual"),
    ],
)
@pytest.mark.usefixtures("model")
def test_features_that_do_not_fit_are_refused(lammps: Lammps, line: str, message: str) -> None:
    script = NITRIDE + SNAP + f"compute keatom all ke/atom\ncompute lpr all lpr/atom model.lpr Ga N {line}\nrun 0\n"
    run = lammps.run(script)
    assert run.code != 0
    assert message in run.output
