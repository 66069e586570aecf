"""``lpr-fast predict`` and ``lpr-fast ensemble``: numbers of the calls, errors against labels, all digits in files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import ase.build
import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from click.testing import CliRunner, Result

from lpr_fast import load_model
from lpr_fast.command_line._commands import lpr_fast

from .structures import fitted, rattled

GPA = 160.21766208


def labelled_alloys(n_frames: int, seed: int = 0) -> list[Atoms]:
    """Rattled cells of copper and gold with all labels of EMT, of two kinds."""
    frames = []
    for n in range(n_frames):
        frame = rattled(ase.build.bulk("CuAu", "rocksalt", a=5.0, cubic=True), seed + n, 0.1)
        frame.calc = EMT()
        labels = {name: frame.calc.get_property(name, frame) for name in ("energy", "forces", "stress")}
        frame.calc = SinglePointCalculator(frame, **labels)
        frame.info["config_type"] = "hot" if n % 2 else "cold"
        frames.append(frame)
    return frames


def run(*arguments: object) -> Result:
    environment = {"FORCE_COLOR": None, "TTY_COMPATIBLE": None}
    return CliRunner(env=environment).invoke(lpr_fast, [str(argument) for argument in arguments])


def succeed(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, and structures with labels that it was not fitted to."""
    path = tmp_path_factory.mktemp("predict")
    fitted(labelled_alloys(8)).save(path / "m.lpr")
    ase.io.write(path / "test.xyz", labelled_alloys(5, seed=40))
    return path


def errors_in(printed: str, name: str) -> list[float]:
    """The numbers of a line of the table."""
    (line,) = re.findall(rf"^{re.escape(name)} +(.+)$", printed, flags=re.MULTILINE)
    return [float("nan") if text == "-" else float(text) for text in line.split()]


def rmse_and_mae(errors: np.ndarray) -> list[float]:
    return [float(np.sqrt(np.mean(errors**2))), float(np.abs(errors).mean())]


def test_the_command_prints_the_errors_of_the_calls(folder: Path) -> None:
    printed = succeed("predict", folder / "m.lpr", folder / "test.xyz")
    frames = ase.io.read(folder / "test.xyz", ":")
    found = load_model(folder / "m.lpr").predict(frames)
    energies = (found.energy - [frame.get_potential_energy() for frame in frames]) / 8
    forces = found.forces - np.concatenate([frame.get_forces() for frame in frames])
    stress = GPA * (found.stress - [frame.get_stress() for frame in frames])
    expected = [*rmse_and_mae(energies), *rmse_and_mae(forces), *rmse_and_mae(stress)]
    np.testing.assert_allclose(errors_in(printed, "all"), expected, rtol=1e-2)
    hot = [1, 3]
    of_hot = forces.reshape(5, 8, 3)[hot]
    expected = [*rmse_and_mae(energies[hot]), *rmse_and_mae(of_hot), *rmse_and_mae(stress[hot])]
    np.testing.assert_allclose(errors_in(printed, "hot"), expected, rtol=1e-2)
    numbers = np.concatenate([frame.numbers for frame in frames])
    assert errors_in(printed, "Au")[1:3] == pytest.approx(rmse_and_mae(forces[numbers == 79]), rel=1e-2)
    assert "predicted 5 frames, 40 atoms" in printed


def test_groups_have_their_whole_names(folder: Path) -> None:
    frames = labelled_alloys(3, seed=60)
    for frame, group in zip(frames, ("isolated_atom", "isolated_dimer", "x" * 60), strict=True):
        frame.info["config_type"] = group
    ase.io.write(folder / "named.xyz", frames)
    printed = succeed("predict", folder / "m.lpr", folder / "named.xyz")
    for name in ("isolated_atom", "isolated_dimer", "x" * 39):
        assert len(errors_in(printed, name)) == 6
    table = [line for line in printed.splitlines() if line.startswith(("errors", "all", "isolated", "xxx", "Cu"))]
    assert len({len(line) for line in table[1:]}) == 1


def test_the_file_has_predictions_under_the_names_of_ase_with_all_digits_and_keeps_the_labels(folder: Path) -> None:
    printed = succeed("predict", folder / "m.lpr", folder / "test.xyz", "-o", folder / "out.xyz")
    assert f"written   {folder / 'out.xyz'}" in printed
    frames, written = ase.io.read(folder / "test.xyz", ":"), ase.io.read(folder / "out.xyz", ":")
    found = load_model(folder / "m.lpr").predict(frames)
    for number, (frame, other) in enumerate(zip(frames, written, strict=True)):
        chosen = found.frame == number
        assert other.get_potential_energy() == found.energy[number]
        np.testing.assert_array_equal(other.get_forces(), found.forces[chosen])
        np.testing.assert_array_equal(other.get_potential_energies(), found.energies[chosen])
        np.testing.assert_array_equal(other.get_stress(), found.stress[number])
        assert other.info["label_energy"] == frame.get_potential_energy()
        np.testing.assert_array_equal(other.arrays["label_forces"], frame.get_forces())
        np.testing.assert_array_equal(np.ravel(other.info["label_stress"]), frame.get_stress())
        assert other.info["config_type"] == frame.info["config_type"]
    again = succeed("predict", folder / "m.lpr", folder / "out.xyz")
    np.testing.assert_allclose(errors_in(again, "all"), 0.0, atol=1e-12)  # against what was predicted


def test_an_ensemble_gives_the_file_spreads_of_energies_and_forces(folder: Path) -> None:
    said = succeed("ensemble", folder / "m.lpr", "-o", folder / "e.lpr", "--members", 30, "--seed", 3, "--alpha", 0.5)
    assert "30 members; their spread is that of a prior standard deviation of 0.5" in said
    succeed("predict", folder / "e.lpr", folder / "test.xyz", "-o", folder / "spread.xyz", "--quiet")
    frames = ase.io.read(folder / "test.xyz", ":")
    model = load_model(folder / "m.lpr").with_ensemble(30, seed=3, alpha=0.5)
    members = model.predict(frames, members=True).members
    assert members is not None
    assert members.forces is not None
    for number, written in enumerate(ase.io.read(folder / "spread.xyz", ":")):
        spread = members.forces[members.frame == number].std(axis=-1, ddof=1)
        np.testing.assert_array_equal(written.arrays["forces_spread"], spread)
        assert written.info["energy_spread"] == members.energy[number].std(ddof=1)


def test_frames_without_labels_are_predicted_and_without_a_cell_have_no_stress(folder: Path) -> None:
    frames = [Atoms("CuAu", [[0, 0, 0], [0, 0, 2.5]]), ase.build.bulk("Cu")]
    ase.io.write(folder / "bare.xyz", frames)
    printed = succeed("predict", folder / "m.lpr", folder / "bare.xyz", "-o", folder / "bare_out.xyz")
    assert "errors    none: the structures have no labels to compare with" in printed
    first, second = ase.io.read(folder / "bare_out.xyz", ":")
    assert "stress" not in first.calc.results
    assert "stress" in second.calc.results


def test_energies_alone_are_asked_for_by_an_option(folder: Path) -> None:
    printed = succeed("predict", folder / "m.lpr", folder / "test.xyz", "-o", folder / "e.xyz", "--no-forces")
    assert "forces" not in printed
    found = load_model(folder / "m.lpr").predict(ase.io.read(folder / "test.xyz", ":"))
    written = ase.io.read(folder / "e.xyz", ":")
    assert [frame.get_potential_energy() for frame in written] == found.energy.tolist()
    assert all("forces" not in frame.calc.results for frame in written)


def test_labels_of_other_names_and_virials_are_compared(folder: Path) -> None:
    frames = labelled_alloys(3, seed=40)
    for frame in frames:
        frame.info["dft_energy"], frame.arrays["dft_forces"] = frame.get_potential_energy(), frame.get_forces()
        frame.info["dft_virial"] = -frame.get_volume() * frame.get_stress(voigt=False)
        frame.calc = None
    ase.io.write(folder / "dft.xyz", frames)
    names = ["--energy-key", "dft_energy", "--force-key", "dft_forces", "--virial-key", "dft_virial"]
    printed = succeed("predict", folder / "m.lpr", folder / "dft.xyz", *names)
    ase.io.write(folder / "ase.xyz", labelled_alloys(3, seed=40))
    expected = succeed("predict", folder / "m.lpr", folder / "ase.xyz")
    np.testing.assert_allclose(errors_in(printed, "all"), errors_in(expected, "all"), rtol=1e-3)


def test_labels_have_the_names_of_the_fit_where_nobody_says_others(folder: Path) -> None:
    frames = labelled_alloys(8)
    for frame in frames:
        frame.info["dft_energy"], frame.arrays["dft_forces"] = frame.get_potential_energy(), frame.get_forces()
        frame.info["dft_virial"] = -frame.get_volume() * frame.get_stress(voigt=False)
        frame.calc = None
    ase.io.write(folder / "named.xyz", frames)
    keys = {"energy_key": "dft_energy", "force_key": "dft_forces", "virial_key": "dft_virial"}
    sigma = {"energy": 0.1, "force": 0.1, "virial": 1.0}
    fitted(frames, regularizer="auto", sigma=sigma, delta=1.0, **keys).save(folder / "named.lpr")
    errors = errors_in(succeed("predict", folder / "named.lpr", folder / "named.xyz"), "all")
    assert len(errors) == 6
    assert np.isfinite(errors).all()


def test_stress_of_the_opposite_sign_is_said(folder: Path) -> None:
    model, frames = load_model(folder / "m.lpr"), labelled_alloys(2, seed=40)
    for frame in frames:
        stress = model.predict(frame).stress
        assert stress is not None
        frame.calc = SinglePointCalculator(frame, stress=-stress[0])
    ase.io.write(folder / "reversed.xyz", frames)
    printed = succeed("predict", folder / "m.lpr", folder / "reversed.xyz")
    assert "stress    labels and predictions have opposite signs" in printed
    assert "opposite sign" not in succeed("predict", folder / "m.lpr", folder / "test.xyz")


CASES: dict[str, tuple[Callable[[Path], list[object]], str]] = {
    "no such model": (lambda f: ["predict", f / "x.lpr", f / "test.xyz"], "x.lpr"),
    "another format": (
        lambda f: ["predict", f / "m.lpr", f / "test.xyz", "-o", f / "out.h5"],
        "out.h5 is not extended XYZ; give a name that ends in .xyz or .extxyz",
    ),
    "over the input": (
        lambda f: ["predict", f / "m.lpr", f / "test.xyz", "-o", f / "test.xyz"],
        "test.xyz would overwrite an input",
    ),
    "names that nothing has": (
        lambda f: ["predict", f / "m.lpr", f / "test.xyz", "--force-key", "dft"],
        "no frame has forces named 'dft'; correct --force-key, or leave it out",
    ),
    "names that nobody compares": (
        lambda f: ["predict", f / "m.lpr", f / "test.xyz", "--no-forces", "--force-key", "forces"],
        "--no-forces was given with --force-key or --virial-key, but without forces there is nothing to compare; leave",
    ),
    "one member": (
        lambda f: ["ensemble", f / "m.lpr", "-o", f / "e.lpr", "--members", 1],
        "n_members is 1; it must be from 2 to",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_done_is_said_in_a_sentence(case: str, folder: Path) -> None:
    command, message = CASES[case]
    result = run(*command(folder))
    assert result.exit_code != 0
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output
