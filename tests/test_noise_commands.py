"""Energies, forces and virials on the command line: what is fitted, what is said, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from click.testing import CliRunner, Result

from lpr_fast import Noise, SparseKernelModel, TrainingRows, load_model
from lpr_fast.atoms.about._noise_lines import _choice
from lpr_fast.command_line._commands import lpr_fast
from lpr_fast.descriptors._soap_hypers import soap_hypers

from .alloys import SIGMA, alloys

SOAP = ("--cutoff", "3.5", "--max-radial", "2", "--max-angular", "3", "--n-active", "10")
SIGMAS = ("--sigma-energy", "0.02", "--sigma-force", "0.05", "--sigma-virial", "0.2")


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(lpr_fast, [str(argument) for argument in arguments])


def succeed(*arguments: Any) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ase.io.write(tmp_path / "train.xyz", alloys(8))
    return tmp_path


def fit(folder: Path, *options: Any) -> Result:
    return run("fit", folder / "train.xyz", "-o", folder / "m.lpr", *SOAP, *options)


def in_memory(folder: Path, **options: Any) -> SparseKernelModel:
    frames = ase.io.read(folder / "train.xyz", ":")
    hypers = soap_hypers(3.5, 2, 3)
    return SparseKernelModel.fit(frames, hypers=hypers, n_active=10, **options)  # type: ignore[arg-type]


def test_options_are_those_of_python(folder: Path) -> None:
    said = fit(folder, *SIGMAS, "--delta", "0.7").output
    frames = ase.io.read(folder / "train.xyz", ":")
    found, expected = load_model(folder / "m.lpr"), in_memory(folder, sigma=SIGMA, delta=0.7)
    np.testing.assert_array_equal(found.score(frames).lpr, expected.score(frames).lpr)
    np.testing.assert_array_equal(found.predict(frames).energy, expected.predict(frames).energy)
    n_forces = 3 * sum(map(len, frames))
    lines = [
        "loss on labels in units of their noise",
        f"labels    8 energies (sigma 0.02 eV), {n_forces} force components (sigma 0.05 eV/Å), 48 virial compo",
        "prior     standard deviation of a local energy, delta = 0.7 eV\n",
        "sigma     of a local energy is LPR^-0.5 in eV",
    ]
    told = succeed("info", folder / "m.lpr")
    for line in lines:
        assert line in said
        assert line in told
    assert "the model was not calibrated" not in told


def test_errors_of_the_training_set_are_told(folder: Path) -> None:
    said = fit(folder, *SIGMAS, "--delta", "0.7").output
    table = succeed("predict", folder / "m.lpr", folder / "train.xyz").splitlines()
    assert "fitted    errors on the training set" in said
    for line in table[1:]:
        assert line in said
    assert any(line.startswith("all ") for line in table)
    assert "fitted" not in fit(folder, "--regularizer", "1").output


def test_groups_masks_and_names_are_options(folder: Path) -> None:
    frames = ase.io.read(folder / "train.xyz", ":")
    for number, frame in enumerate(frames):
        frame.info["my_sigma"], frame.arrays["skip"] = 0.1 + number, np.arange(len(frame)) == 2
        frame.arrays["f"] = frame.get_forces()
    ase.io.write(folder / "train.xyz", frames)
    options = ("--sigma-energy", "my_sigma", "--sigma-force", "0.05", "--sigma-group", "small:force=0.3,energy=0.01")
    names = ("--mask-key", "skip", "--force-key", "f", "--delta", "1.5")
    assert fit(folder, *options, *names).exit_code == 0
    noise = Noise(energy="my_sigma", force=0.05, tables={"small": {"force": 0.3, "energy": 0.01}}, mask_key="skip")
    expected = in_memory(folder, sigma=noise, delta=1.5, force_key="f")
    np.testing.assert_array_equal(load_model(folder / "m.lpr").score(frames).lpr, expected.score(frames).lpr)
    told = succeed("info", folder / "m.lpr")
    assert "8 energies (each with its own sigma), " in told


def test_sigmas_of_groups_that_no_structure_is_of_are_told_of(folder: Path) -> None:
    groups = ("--sigma-group", "smal:energy=0.1", "--sigma-group", "small:energy=0.1")
    result = fit(folder, *SIGMAS, *groups, "--delta", "1")
    assert result.exit_code == 0, result.output
    assert "sigma is given for the group 'smal', but no structure is of such a group; correct the name" in result.output
    assert "'small'" not in result.output


def test_a_mask_that_no_structure_has_is_told_of(folder: Path) -> None:
    said = fit(folder, *SIGMAS, "--mask-key", "mask", "--delta", "1").output
    assert "no structure has the mask 'mask', so all forces are used; correct the" in said
    assert "so all forces are used" not in fit(folder, *SIGMAS, "--delta", "1").output


def test_delta_is_chosen_and_the_evidence_told(folder: Path) -> None:
    said = fit(folder, *SIGMAS).output
    choice = load_model(folder / "m.lpr").provenance["delta_choice"]
    assert f"local energy, delta = {choice['delta']:.4g} eV, by maximum evidence (" in said


def test_kept_rows_are_tuned_by_all_labels(folder: Path) -> None:
    rows = folder / "m.rows"
    assert fit(folder, *SIGMAS, "--keep-rows", rows).exit_code == 0
    told = succeed("tune", rows)
    assert told.splitlines()[0].split() == ["mu", "training", "left", "out", "forces", "log", "evidence"]
    choice = TrainingRows(rows).choose_regularizer()
    deltas = (choice.regularizer**-0.5, choice.evidence**-0.5)
    assert f"delta     {deltas[0]:.3g} eV by leave-one-out error, {deltas[1]:.3g} eV by maximum evidence, which" in told
    chosen = load_model(folder / "m.lpr").provenance["delta_choice"]["delta"]
    assert abs(np.log10(deltas[1] / chosen)) < 0.11  # a fifth of a decade of mu
    assert fit(folder, "--regularizer", "1", "--keep-rows", rows).exit_code == 0
    assert "forces" not in succeed("tune", rows)


@pytest.mark.parametrize(
    ("factor", "said"),
    [
        (1.4, "by maximum evidence (0.9 to 1.1)"),
        (
            5.0,
            "the labels deviate 5 times as much as their sigmas say: use a better model (more active "
            "environments, a larger cutoff) or la",
        ),
        (0.1, "the labels deviate 10 times less than their sigmas say: use smaller sigmas"),
        (None, "there are too few labels to check their sigmas"),
    ],
)
def test_labels_that_are_farther_off_than_sigma_are_told_of(factor: float | None, said: str) -> None:
    found = _choice({"delta_choice": {"interval": [0.9, 1.1], "sigma_factor": factor, "by": "evidence"}})
    assert said in found
    assert ("labels" in found) == (factor != 1.4)


def test_labels_without_a_sigma_are_told_of(folder: Path) -> None:
    said = fit(folder, "--sigma-energy", "0.02", "--delta", "1").output
    for name, option in (("forces    ", "force"), ("virials   ", "virial")):
        assert f"{name}of 8 structures are not used; --sigma-{option} makes the fit use them\n" in said
    assert fit(folder, "--regularizer", "1").exit_code == 0


def test_models_of_other_losses_are_not_compared(folder: Path) -> None:
    for name, options in (("noise", [*SIGMAS, "--delta", "1"]), ("total", ["--regularizer", "1e-3"])):
        succeed("fit", folder / "train.xyz", "-o", folder / f"{name}.lpr", *SOAP, *options)
    result = run("compare", folder / "noise.lpr", folder / "total.lpr", folder / "train.xyz", "-o", folder / "c.csv")
    assert result.exit_code != 0
    assert "the first model has a loss on labels in units of their noise, the second on total energies" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sigma-energy", "-1"], "sigma of energies is -1; it must be finite and positive."),
        (["--sigma-energy", "e_sigma"], "frame 0 has energies, but not their standard deviation 'e_sigma'"),
        (
            ["--sigma-force", "0.1", "--force-key", "f"],
            "no frame has any named 'f' (there are some named 'forces'); give the right name",
        ),
        (["--delta", "1"], "delta is 1.0, but sigma was not given; give standard deviations of the labels"),
        (["--sigma-energy", "1", "--delta", "much"], "delta is 'much'; give a positive number, or auto."),
        (["--sigma-energy", "1", "--regularizer", "1"], "sigma and regularizer were given; leave regularizer out"),
        (["--sigma-energy", "1", "--loss", "per_atom"], "sigma and loss were given; leave loss out"),
        (["--sigma-energy", "1", "--sigmas", "s"], "sigma and sigmas were given; leave sigmas out"),
        (["--sigma-group", "a:energy=1"], "--sigma-group was given without --sigma-energy, --sigma-force or --sigma-v"),
        (["--force-key", "f"], "--force-key was given without --sigma-force, which a fit to this label needs; give"),
        (["--sigma-energy", "1", "--virial-key", "v"], "--virial-key was given without --sigma-virial, which a fit"),
        (["--mask-key", "m"], "--mask-key was given without --sigma-energy, --sigma-force or --sigma-virial; give one"),
        (
            ["--sigma-energy", "1", "--sigma-group", "a"],
            "--sigma-group is 'a'; give a group and its sigmas, for example",
        ),
        (["--sigma-energy", "1", "--sigma-group", "a:e=1"], "--sigma-group is 'a:e=1'; give a group and its sigmas"),
        (
            ["--sigma-energy", "1", "--sigma-group", "a:energy=1", "--sigma-group", "a:force=1"],
            "--sigma-group names a group twice; give all sigmas of a group at once.",
        ),
    ],
)
def test_bad_options_are_refused_in_a_sentence(options: list[str], message: str, folder: Path) -> None:
    result = fit(folder, *options)
    assert result.exit_code != 0
    assert message in result.output, result.output
    assert result.output.count("\n") == 1
    assert not (folder / "m.lpr").exists()
