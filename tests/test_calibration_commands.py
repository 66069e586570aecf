"""Calibration on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.io
import pytest
from click.testing import CliRunner, Result

from lpr_fast import load_model
from lpr_fast.command_line._commands import lpr_fast

from .structures import fitted, silicon


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
    line = f"prior variance {expected.calibration.prior_variance:.4g} (+-50 %) of the projected process, by 8 totals"
    assert line in result.output
    assert line in run("info", folder / "c.lpr").output
    assert "sigma     none" in run("info", folder / "m.lpr").output


def test_a_fit_is_calibrated_at_once(folder: Path) -> None:
    given = ("--n-active", 12, "--cutoff", 3.5, "--max-radial", 2, "--max-angular", 3)
    fit = run("fit", folder / "train.xyz", "-o", folder / "f.lpr", "--calibrate", folder / "held-out.xyz", *given)
    assert fit.exit_code == 0, fit.output
    assert load_model(folder / "f.lpr").calibration.n_totals == 8
    assert "by 8 totals" in fit.output


def test_reliability_is_told_and_drawn(folder: Path) -> None:
    run("calibrate", folder / "m.lpr", folder / "held-out.xyz", "-o", folder / "r.lpr", "--variance", "sr")
    for number in (1, 2):
        result = run("reliability", folder / "r.lpr", folder / "test.xyz", "-o", folder / f"{number}.png")
        assert result.exit_code == 0, result.output
    assert "totals    8; mean absolute error " in result.output
    assert result.output.count("% of the errors") == 4
    assert (folder / "1.png").read_bytes() == (folder / "2.png").read_bytes()
    run("reliability", folder / "r.lpr", folder / "test.xyz")
    assert (folder / "r.reliability.png").exists()


def test_mistakes_are_one_sentence(folder: Path) -> None:
    bare = silicon(1)[0].copy()
    ase.io.write(folder / "bare.xyz", bare, format="extxyz")
    held_out = folder / "held-out.xyz"
    cases: list[tuple[tuple[Any, ...], str]] = [
        (("reliability", folder / "m.lpr", held_out), "m.lpr was not calibrated; do so with lpr-fast calibrate"),
        (("calibrate", folder / "m.lpr", folder / "bare.xyz", "-o", folder / "x.lpr"), "frame 0 has no energy named"),
        (("calibrate", folder / "m.lpr", held_out, "-o", folder / "m.lpr"), "would overwrite an input"),
        (("reliability", folder / "m.lpr", held_out, "-o", folder / "x.gif"), "must end in .png, .pdf or .svg"),
    ]
    for arguments, message in cases:
        result = run(*arguments)
        assert result.exit_code == 2
        assert message in result.output, result.output
    assert not (folder / "x.lpr").exists()
