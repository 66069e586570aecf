"""Calibration on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.io
import pytest
from click.testing import CliRunner, Result

from lpr_fast import load_model
from lpr_fast.atoms.about._calibration_lines import use_of
from lpr_fast.command_line._commands import lpr_fast

from .structures import fitted, silicon
from .test_force_calibration import alloys


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(lpr_fast, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibration")
    for name, seed in (("train", 0), ("held-out", 50), ("test", 80)):
        ase.io.write(folder / f"{name}.xyz", silicon(8, seed), format="extxyz")
    fitted(ase.io.read(folder / "train.xyz", ":")).save(folder / "m.lpr")
    return folder


def test_a_model_file_is_calibrated_and_says_so(folder: Path) -> None:
    result = run("calibrate", folder / "m.lpr", folder / "held-out.xyz", "-o", folder / "c.lpr")
    assert result.exit_code == 0, result.output
    expected = load_model(folder / "m.lpr").calibrate(ase.io.iread(folder / "held-out.xyz"))
    assert load_model(folder / "c.lpr").calibration == expected.calibration
    line = (
        f"prior variance {expected.calibration.prior_variance:.4g} (+-50 %) of the projected process, from 8 total "
        "energies"
    )
    assert line in result.output
    assert line in run("info", folder / "c.lpr").output
    assert "sigma     none" in run("info", folder / "m.lpr").output


def test_a_fit_is_calibrated_at_once(folder: Path) -> None:
    given = ("--n-active", 12, "--cutoff", 3.5, "--max-radial", 2, "--max-angular", 3)
    fit = run("fit", folder / "train.xyz", "-o", folder / "f.lpr", "--calibrate", folder / "held-out.xyz", *given)
    assert fit.exit_code == 0, fit.output
    assert load_model(folder / "f.lpr").calibration.n_totals == 8
    assert "from 8 total energies" in fit.output


def test_reliability_is_told_and_drawn(folder: Path) -> None:
    run("calibrate", folder / "m.lpr", folder / "held-out.xyz", "-o", folder / "r.lpr", "--variance", "sr")
    for number in (1, 2):
        result = run("reliability", folder / "r.lpr", folder / "test.xyz", "-o", folder / f"{number}.png")
        assert result.exit_code == 0, result.output
    assert "energies  8 total energies: mean absolute error " in result.output
    assert result.output.count("% of the errors") == 4
    assert (folder / "1.png").read_bytes() == (folder / "2.png").read_bytes()
    run("reliability", folder / "r.lpr", folder / "test.xyz")
    assert (folder / "r.reliability.png").exists()


def test_structures_of_the_fit_bring_a_warning(folder: Path) -> None:
    small = ("--cutoff", "3.5", "--max-radial", "2", "--max-angular", "2", "--n-active", "8", "--regularizer", "1e-3")
    held_out = folder / "held-out.xyz"
    for training, told in (("", 1), ("@::2", 0)):
        made = run("fit", f"{held_out}{training}", "-o", folder / "t.lpr", *small)
        assert made.exit_code == 0, made.output
        result = run("calibrate", folder / "t.lpr", f"{held_out}@1::2", "-o", folder / "tc.lpr")
        assert result.exit_code == 0, result.output
        assert result.output.count("structures that the model was fitted to") == told


def test_a_sigma_that_is_worse_than_none_is_said() -> None:
    assert use_of(1.0, 0.7) == ""
    assert "sigma misleads" in use_of(1.0, 1.2)


@pytest.fixture(scope="module")
def alloy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alloy")
    for name, count, seed in (("train", 60, 1), ("held-out", 40, 2), ("test", 30, 3)):
        ase.io.write(folder / f"{name}.xyz", alloys(count, seed), format="extxyz")
    fitted(ase.io.read(folder / "train.xyz", ":"), n_active=60, regularizer=1e-4).save(folder / "m.lpr")
    given = ("--forces", "--largest-residual", 0.008, "--coverage", 0.8, "--group-key", "config_type")
    result = run("calibrate", folder / "m.lpr", folder / "held-out.xyz", "-o", folder / "c.lpr", *given)
    assert result.exit_code == 0, result.output
    (folder / "calibrate.txt").write_text(result.output)
    return folder


def test_forces_and_intervals_are_calibrated_and_told(alloy: Path) -> None:
    model = load_model(alloy / "c.lpr")
    forces, intervals = model.force_calibration, model.conformal
    told = (alloy / "calibrate.txt").read_text()
    for output in (told, run("info", alloy / "c.lpr").output):
        assert (
            f"prior variance {forces.prior_variance:.4g} of the subset of regressors, from {forces.n_atoms} a" in output
        )
        assert f"ignored: {100 * forces.share_left_out:.3g} % of the atoms" in output
        cold, hot = (intervals.energy[name].quantile for name in ("cold", "hot"))
        within = f"within {cold:.3g} (cold: 20 structures), {hot:.3g} (hot: 20 structures) sigma"
        assert f"80 % of the energies of new structures are {within}" in output
        assert f"80 % of their forces are within {intervals.force['cold'].quantile:.3g} (cold: " in output


def test_reliability_of_forces_and_intervals_is_told_and_drawn(alloy: Path) -> None:
    result = run("reliability", alloy / "c.lpr", alloy / "test.xyz", "-o", alloy / "r.svg")
    assert result.exit_code == 0, result.output
    assert "forces    on " in result.output
    assert result.output.count("% of the components") == 4
    assert result.output.count("% of the errors") == 4
    assert "intervals those for 80 % hold " in result.output
    assert "% of 15 energies in group cold, " in result.output
    model, test = load_model(alloy / "c.lpr"), ase.io.read(alloy / "test.xyz", ":")
    found = model.intervals(test)
    energies = [frame.get_potential_energy() / len(frame) for frame in test]
    hot = found.group == "hot"
    share = (abs(found.energy_per_atom - energies) <= found.half_width)[hot].mean()
    assert f"{100 * share:.1f} % of 15 energies in group hot" in result.output
    assert (alloy / "r.svg").read_text().count("sigma of the component") == 1


def test_mistakes_are_one_sentence(folder: Path) -> None:
    bare = silicon(1)[0].copy()
    ase.io.write(folder / "bare.xyz", bare, format="extxyz")
    held_out = folder / "held-out.xyz"
    cases: list[tuple[tuple[Any, ...], str]] = [
        (("reliability", folder / "m.lpr", held_out), "m.lpr is not calibrated; run lpr-fast calibrate first"),
        (("calibrate", folder / "m.lpr", folder / "bare.xyz", "-o", folder / "x.lpr"), "frame 0 has no energy named"),
        (("calibrate", folder / "m.lpr", held_out, "-o", folder / "m.lpr"), "would overwrite an input"),
        (
            ("reliability", folder / "m.lpr", held_out, "-o", folder / "x.gif"),
            "give a name that ends in .png, .pdf or .svg",
        ),
    ]
    for arguments, message in cases:
        result = run(*arguments)
        assert result.exit_code == 2
        assert message in result.output, result.output
    assert not (folder / "x.lpr").exists()
