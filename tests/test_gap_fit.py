"""Commands of gap_fit as fits of this package: what they ask for, and what is said of the rest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest

from lpr_fast import InvalidInputError, Noise, SparseKernelModel, fit_files, load_model, read_gap_fit, what_if
from lpr_fast.models import _batches

from .structures import gallium_arsenide, silicon
from .test_command_line import run, succeed

SOAP = "soap l_max=4 n_max=6 atom_sigma=0.5 cutoff=4.5 zeta=4 delta=0.2 covariance_type=dot_product n_sparse=100"
COMMAND = (
    f"gap_fit atoms_filename=train.xyz gap={{{SOAP} cutoff_transition_width=1.0 sparse_method=cur_points}} "
    "default_sigma={0.002 0.2 0.3 0.0} e0={Si:-158.5} gp_file=gap.xml"
)
KEYS = {
    "energy": ["energy_sigma"],
    "force": ["force_component_sigma", "force_atom_sigma", "force_sigma"],
    "virial": ["virial_component_sigma", "virial_sigma"],
}

RENAMED = {
    "energy": ["energy_error"],
    "force": ["force_component_error", "force_atom_error", "force_error"],
    "virial": ["virial_component_error", "virial_error"],
}


def with_option(option: str, command: str = COMMAND) -> str:
    """The command, with an option more or another value of one."""
    name = option.partition("=")[0]
    words = command.split(f" {name}=")
    if len(words) == 1:
        return f"{command} {option}"
    rest = words[1].partition("}" if words[1].startswith("{") else " ")[2]
    return f"{words[0]} {option} {rest}"


def test_a_command_gives_the_arguments_of_a_fit() -> None:
    found = read_gap_fit(COMMAND, species=["Si"])
    assert found.train == "train.xyz"
    assert found.options == {
        "hypers": {
            "cutoff": {"radius": 4.5, "smoothing": {"type": "ShiftedCosine", "width": 1.0}},
            "density": {"type": "Gaussian", "width": 0.5},
            "basis": {"type": "TensorProduct", "max_angular": 4, "radial": {"type": "Gto", "max_radial": 5}},
        },
        "zeta": 4.0,
        "delta": 0.2,
        "n_active": {"Si": 100},
        "energy_key": "energy",
        "force_key": "force",
        "group_key": "config_type",
        "sigma": Noise(energy=0.002, force=0.2, virial=0.3, keys=KEYS, convention="gap"),
        "baseline": {"Si": -158.5},
    }


def test_what_differs_is_said_in_sentences() -> None:
    remarks = read_gap_fit(COMMAND, species=["Si"]).remarks
    for part in ("Gaussian-type orbitals", "sparse_jitter is ignored", "farthest-point sampling .*cur_points"):
        assert any(re.search(part, remark) for remark in remarks), part
    assert all(remark.endswith(".") and remark.count(". ") == 0 for remark in remarks)


@pytest.mark.parametrize(
    "text",
    [
        COMMAND.removeprefix("gap_fit "),
        "OMP_NUM_THREADS=2 mpirun -n 2 /opt/quip/bin/" + COMMAND,
        COMMAND.replace("gap={", "gap='{").replace("cur_points}", "cur_points}'"),
        COMMAND.replace(f"gap={{{SOAP}", f'"gap={{{SOAP}').replace("cur_points}", 'cur_points}"'),
        COMMAND.replace(" default_sigma", " \\\n  default_sigma"),
        COMMAND.removeprefix("gap_fit ").replace(" e0=", "\ne0=").replace(" default_sigma", "\ndefault_sigma"),
        COMMAND.replace("{0.002 0.2 0.3 0.0}", "'{2.0d-3 0.2 0.3 0.0}'").replace("delta=0.2", "energy_scale=.2"),
    ],
)
def test_the_same_command_can_be_written_in_many_ways(text: str) -> None:
    assert read_gap_fit(text, species=["Si"]) == read_gap_fit(COMMAND, species=[14])


def test_a_configuration_file_has_the_same_options(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(COMMAND.removeprefix("gap_fit ").replace(" e0=", "\ne0="))
    assert read_gap_fit(f"gap_fit config_file={tmp_path / 'config'}", species=["Si"]) == read_gap_fit(
        COMMAND, species=["Si"]
    )


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("e0=-158.5", {"baseline": {"Si": -158.5}}),
        ("e0={Si:-158.5:O:-430}", {"baseline": {"Si": -158.5, "O": -430.0}}),
        ("energy_parameter_name=dft_energy", {"energy_key": "dft_energy"}),
        ("force_parameter_name=dft_force", {"force_key": "dft_force"}),
        ("virial_parameter_name=dft_virial", {"virial_key": "dft_virial"}),
        ("stress_parameter_name=dft_stress", {"virial_key": "dft_stress"}),
        ("rnd_seed=999", {"seed": 999}),
        (
            "parameter_name_prefix=dft_",
            {"energy_key": "dft_energy", "force_key": "dft_force", "virial_key": "dft_virial"},
        ),
    ],
    ids=str,
)
def test_options_go_where_they_belong(option: str, expected: dict[str, Any]) -> None:
    options = read_gap_fit(with_option(option), species=["Si"]).options
    assert {key: options[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("sigma_per_atom=F", {"convention": "plain", "keys": KEYS}),
        ("kernel_regularisation_is_per_atom=.false.", {"convention": "plain", "keys": KEYS}),
        ("default_sigma={0.002 0.2 0 0}", {"virial": None}),
        (
            "config_type_sigma={liquid:0.01:0.5:0.6:0:slab:0.1:0.2:0.0:0.0}",
            {
                "tables": {
                    "liquid": {"energy": 0.01, "force": 0.5, "virial": 0.6},
                    "slab": {"energy": 0.1, "force": 0.2, "virial": None},
                }
            },
        ),
        ("config_type_parameter_name=kind", {"group_key": "kind"}),
        ("force_mask_parameter_name=left_out", {"mask_key": "left_out"}),
        ("sigma_parameter_name=error", {"keys": RENAMED}),
    ],
    ids=str,
)
def test_noise_is_that_of_gap(option: str, expected: dict[str, Any]) -> None:
    noise = read_gap_fit(with_option(option), species=["Si"]).options["sigma"]
    assert {key: getattr(noise, key) for key in expected} == expected


def test_isolated_atoms_are_the_baseline_where_nothing_else_is_said() -> None:
    command = COMMAND.replace("e0={Si:-158.5} ", "")
    assert read_gap_fit(command, species=["Si"]).options["baseline"] == "isolated"
    average = read_gap_fit(command + " e0_method=average", species=["Si"])
    assert average.options["baseline"] is None
    assert any(remark.startswith("e0_method=average: the baseline is fitted") for remark in average.remarks)


def test_n_sparse_and_one_e0_are_of_each_element_of_the_training_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ase.io.write("train.xyz", [*silicon(1), *gallium_arsenide(1)])
    found = read_gap_fit(with_option("e0=-3"))
    assert found.options["n_active"] == {"Si": 100, "Ga": 100, "As": 100}
    assert found.options["baseline"] == {"Si": -3.0, "Ga": -3.0, "As": -3.0}


def test_soaps_that_are_written_out_for_each_centre_are_one_descriptor() -> None:
    parts = [
        f"{SOAP.replace('n_sparse=100', f'n_sparse={n}')} add_species=F n_species=2 Z={Z} species_Z={{31 33}}"
        for Z, n in ((31, 60), (33, 40))
    ]
    found = read_gap_fit(f"gap={{{' : '.join(parts)}}} default_sigma={{1 1 1 0}} e0=0", species=["Ga", "As"])
    assert found.options["n_active"] == {"Ga": 60, "As": 40}


def test_the_weight_of_far_neighbours_is_taken_over() -> None:
    command = COMMAND.replace(SOAP, SOAP + " cutoff_dexp=3 cutoff_scale=4.0 cutoff_rate=2.0 central_weight=0.5")
    density = read_gap_fit(command, species=["Si"]).options["hypers"]["density"]
    assert density["center_atom_weight"] == 0.5
    assert density["scaling"] == {"type": "Willatt2018", "exponent": 3, "scale": 4.0, "rate": 2.0}


@pytest.mark.parametrize(
    ("command", "remark"),
    [
        (
            COMMAND.replace("gap={", "gap={distance_2b cutoff=4 covariance_type=ard_se n_sparse=15 delta=1 : "),
            "the descriptor distance_2b is ignored: .*",
        ),
        (COMMAND.replace("n_sparse=100", "config_type_n_sparse={a:30:b:20}"), "config_type_n_sparse=.* 50 active .*"),
        (COMMAND.replace("=cur_points", "=FILE sparse_file=s"), "active environments .*FILE, and sparse_file=s is .*"),
        (with_option("default_sigma={0.002 0.2 0 0}"), "default_sigma has 0 for virials: they are fitted only if .*"),
        (with_option("hessian_parameter_name=h"), "hessian_parameter_name=h is ignored: second derivatives cannot .*"),
        (with_option("strange=3"), "strange=3 is ignored: this option of gap_fit is not known here."),
        (COMMAND.replace("zeta=4", "zeta=4 odd=1"), "odd=1 is ignored: this option of soap is not known here."),
    ],
)
def test_what_is_not_taken_is_said(command: str, remark: str) -> None:
    assert any(re.fullmatch(remark, said) for said in read_gap_fit(command, species=["Si"]).remarks)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("", "the gap_fit command is empty; give its text."),
        ("gap_fit help", "the gap_fit command has 'help', which is not an option; write options as name=value."),
        ("gap={soap", "braces of the gap_fit command do not match, near 'gap={soap'; give the whole command."),
        ("gap='soap", "quotes of the gap_fit command do not match, .*"),
        ("gap=1 gap=2", "the gap_fit command has gap twice; give it once."),
        ("default_sigma={1 1 1 0}", "the gap_fit command has no gap; add it: gap_fit needs it too."),
        (
            COMMAND + " at_file=t.xyz",
            "atoms_filename and at_file are the same option of gap_fit, .*; give one of them.",
        ),
        ("gap={soap_turbo l_max=8}", "gap of the gap_fit command has no soap; models here describe .*"),
        (COMMAND.replace("dot_product", "ard_se"), "soap .* has covariance_type=ard_se; only dot_product, .*"),
        (COMMAND.replace("zeta=4", "zeta=4 average=T"), "soap .* has average=T; features here have no such thing."),
        (COMMAND.replace("n_max=6", "n_max=many"), "n_max of gap_fit is 'many'; it must be a number."),
        (COMMAND.replace("n_max=6", "n_max=6.5"), "n_max of gap_fit is '6.5'; it must be an integer."),
        (COMMAND.replace("n_sparse=100", ""), "soap of the gap_fit command has no n_sparse; say how many .*"),
        (with_option("default_sigma={1 2}"), "default_sigma of gap_fit is {1 2}; give four numbers: .*"),
        (with_option("sigma_per_atom=perhaps"), "sigma_per_atom of gap_fit is 'perhaps'; it must be T or F."),
        (with_option("config_type_sigma={a:1:2}"), "config_type_sigma of gap_fit has 3 entries; it must have .*"),
        (with_option("core_param_file=zbl.xml"), "the gap_fit command has core_param_file, a potential .*"),
        (
            f"gap={{{SOAP} : {SOAP.replace('zeta=4', 'zeta=2')}}} default_sigma={{1 1 1 0}}",
            "gap of the gap_fit command has two SOAPs, of which the second has another zeta; keep one of them.",
        ),
        (COMMAND.replace("e0={Si:-158.5}", "e0_method=guess"), "e0_method of gap_fit is 'guess'; it must be .*"),
    ],
)
def test_what_cannot_be_read_is_refused(command: str, sentence: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_gap_fit(command, species=["Si"])
    assert re.fullmatch(sentence, str(caught.value)), str(caught.value)


def test_elements_have_to_be_known() -> None:
    with pytest.raises(InvalidInputError, match=r"names no training structures .*, and no species were given"):
        read_gap_fit(COMMAND.replace("atoms_filename=train.xyz ", ""))


def test_a_command_fits_frames_without_virials(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = silicon(3)
    for frame in frames:
        frame.info["energy"], frame.calc = frame.get_potential_energy(), None
        frame.new_array("force", np.full((len(frame), 3), 0.01))
    found = read_gap_fit(COMMAND.replace("n_sparse=100", "n_sparse=5"), species=["Si"])
    model = SparseKernelModel.fit(frames, **found.options)
    assert model.provenance["n_labels"] == {"energy": 3, "force": 72, "virial": 0}
    monkeypatch.setattr(_batches, "TOGETHER", 4)  # rows are handed on before the virial's turn comes
    again = SparseKernelModel.fit(frames, **found.options)
    np.testing.assert_array_equal(again.score(frames).lpr, model.score(frames).lpr)
    for frame in frames:
        frame.arrays["forces"] = frame.arrays.pop("force")
    with pytest.raises(InvalidInputError, match=r"no frame has any named 'force' \(there are some named 'forces'\)"):
        SparseKernelModel.fit(frames, **found.options)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with training structures of two species, as gap_fit takes them, and a command."""
    frames = [*gallium_arsenide(3), *silicon(3)]
    for frame in frames:
        frame.info["energy"], frame.calc = frame.get_potential_energy(), None
        frame.new_array("force", np.full((len(frame), 3), 0.01))
    ase.io.write(tmp_path / "train.xyz", frames, format="extxyz", write_results=False)
    command = COMMAND.replace("n_sparse=100", "n_sparse=5").replace("e0={Si:-158.5}", "e0=-3").replace("=4.5", "=3.5")
    (tmp_path / "command").write_text(command.replace("l_max=4 n_max=6", "l_max=2 n_max=3"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_line_fits_what_the_command_of_gap_fit_says(folder: Path) -> None:
    printed = succeed("fit", "--gap-fit", "command", "-o", "model.lpr", "--keep-rows", "train.rows").output
    assert "active    15 environments (Si 5, Ga 5, As 5)" in printed
    model = load_model("model.lpr")
    found = read_gap_fit((folder / "command").read_text())
    expected = SparseKernelModel.fit(ase.io.read("train.xyz", ":"), **found.options)
    np.testing.assert_array_equal(model.score(silicon(1)).lpr, expected.score(silicon(1)).lpr)
    of_files = fit_files("train.xyz", "files.lpr", **found.options)
    np.testing.assert_array_equal(of_files.score(silicon(1)).lpr, expected.score(silicon(1)).lpr)
    assert model.provenance["gap_fit"] == (folder / "command").read_text().strip()
    text = (folder / "command").read_text().replace("train.xyz", "elsewhere.xyz")
    succeed("fit", "train.xyz", "--gap-fit", text, "-o", "again.lpr")
    np.testing.assert_array_equal(load_model("again.lpr").score(silicon(1)).lpr, model.score(silicon(1)).lpr)


def test_delta_may_be_left_to_the_evidence(folder: Path) -> None:
    succeed("fit", "--gap-fit", "command", "--delta", "auto", "-o", "model.lpr")
    model = load_model("model.lpr")
    assert model.regularizer == pytest.approx(model.provenance["delta_choice"]["delta"] ** -2, rel=1e-12)


def test_the_command_line_refuses_what_contradicts_the_command_of_gap_fit(folder: Path) -> None:
    both = run("fit", "--gap-fit", "command", "--cutoff", "3", "--zeta", "2", "-o", "m.lpr")
    assert both.exit_code == 2
    assert "--gap-fit and --cutoff, --zeta were given, but the gap_fit command sets these" in both.output
    nothing = run("fit", "-o", "m.lpr")
    assert nothing.exit_code == 2
    assert "no training structures were given; name a file, for example train.xyz." in nothing.output
    missing = run("fit", "--gap-fit", "no_file", "-o", "m.lpr")
    assert missing.exit_code == 2
    assert "no_file: No such file or directory." in missing.output


def test_candidates_have_the_noise_of_the_command(folder: Path) -> None:
    found = read_gap_fit((folder / "command").read_text())
    model = SparseKernelModel.fit(ase.io.read("train.xyz", ":"), **found.options)
    assert model.noise is not None
    assert (model.noise["energy"], model.noise["force"], model.noise["virial"]) == (None, 0.2, None)
    candidate, targets = silicon(1, seed=9)[0].repeat((2, 1, 1)), silicon(1, seed=5)
    noise = Noise(energy=0.002 * np.sqrt(16), force=0.2)  # no training structure has virials
    expected = what_if(model, [candidate], targets, sigma=noise)
    np.testing.assert_array_equal(what_if(model, [candidate], targets).lpr, expected.lpr)
