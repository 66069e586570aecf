"""Without an optional package, calls that need it say in one sentence what to install; all others work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ase.io import read, write

from lpr_fast import SparseKernelModel, score_trajectory

from .structures import fitted, silicon

# None in sys.modules makes an import fail as that of a package which is not installed.
HIDDEN = "import sys; sys.modules[{!r}] = None; "

CALLS = [
    "lpr_fast.SparseKernelModel.fit([], hypers={}, regularizer=1.0, n_active=1)",
    "lpr_fast.LinearModel.fit([], hypers={}, regularizer=1.0)",
]


def run(package: str, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", HIDDEN.format(package) + code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("call", CALLS)
def test_models_of_structures_say_what_to_install(call: str) -> None:
    result = run("ase", f"import lpr_fast; {call}")
    last = result.stderr.splitlines()[-1]
    assert last.startswith("lpr_fast._errors.MissingPackageError: models of structures need ase (")
    assert last.endswith("; install it with: pip install 'lpr-fast[atoms]'")


@pytest.mark.parametrize("call", CALLS[:2])
@pytest.mark.parametrize("package", ["featomic", "metatensor"])
def test_a_fit_says_what_to_install(package: str, call: str) -> None:
    result = run(package, f"import lpr_fast; {call}")
    last = result.stderr.splitlines()[-1]
    assert last.startswith("lpr_fast._errors.MissingPackageError: a fit needs featomic for the radial integrals")
    assert package in last
    assert last.endswith("; install it with: pip install 'lpr-fast[fit]'")


def test_prototypes_say_what_to_install() -> None:
    result = run("spglib", "import lpr_fast; lpr_fast.single_environment('fcc Cu', 1)")
    last = result.stderr.splitlines()[-1]
    assert last.startswith("lpr_fast._errors.MissingPackageError: symmetries need the package spglib")
    assert last.endswith("; install it with: pip install 'lpr-fast[fit]'")


@pytest.mark.parametrize("package", ["featomic", "metatensor"])
def test_a_model_file_is_read_and_scores_without_them(package: str, tmp_path: Path) -> None:
    model = fitted()
    model.save(tmp_path / "m.lpr")
    write(tmp_path / "si.xyz", silicon(1))
    code = f"""
import ase.io, lpr_fast
model = lpr_fast.load_model({str(tmp_path / "m.lpr")!r})
print(*model.score(ase.io.read({str(tmp_path / "si.xyz")!r})).lpr)
"""
    result = run(package, code)
    assert result.returncode == 0, result.stderr
    expected = model.score(read(tmp_path / "si.xyz")).lpr
    assert [float(text) for text in result.stdout.split()] == expected.tolist()


@pytest.mark.parametrize("package", ["ase", "featomic", "metatensor"])
def test_arrays_need_none_of_them(package: str) -> None:
    code = "import lpr_fast; print(lpr_fast.Rigidity.from_features([[1.0]], regularizer=1.0).lpr([[1.0]]))"
    result = run(package, code)
    assert (result.returncode, result.stdout, result.stderr) == (0, "[2.]\n", "")


@pytest.mark.parametrize(
    ("package", "command"),
    [*((package, "demo") for package in ("ase", "click", "matplotlib", "rich")), ("yaml", "fit")],
)
def test_the_command_line_says_what_to_install(package: str, command: str, tmp_path: Path) -> None:
    arguments = {"demo": [tmp_path / "demo"], "fit": ["train.xyz", "-o", tmp_path / "m.lpr"]}[command]
    result = run(package, "from lpr_fast.command_line import main; main()", command, *map(str, arguments))
    assert result.returncode == 2
    assert result.stdout == ""
    (sentence,) = result.stderr.splitlines()
    assert sentence.startswith("lpr-fast: the command line needs packages that are not installed (")
    assert package in sentence
    assert sentence.count("install them with") == 1
    assert sentence.endswith("; install them with: pip install 'lpr-fast[cli]'")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("package", ["featomic", "metatensor"])
def test_commands_that_fit_say_what_to_install(package: str, tmp_path: Path) -> None:
    result = run(package, "from lpr_fast.command_line import main; main()", "demo", str(tmp_path / "demo"))
    (sentence,) = result.stderr.splitlines()
    assert (result.returncode, result.stdout) == (2, "")
    assert sentence.startswith("lpr-fast: a fit needs featomic for the radial integrals")
    assert package in sentence
    assert sentence.endswith("pip install 'lpr-fast[fit]'")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("package", "arguments", "expected"),
    [
        ("chemiscope", ["score", "m.lpr", "md.xyz", "-o", "new.chemiscope.json"], "pip install 'lpr-fast[view]'"),
        ("sklearn", ["score", "m.lpr", "md.xyz", "-o", "new.chemiscope.json"], "pip install 'lpr-fast[view]'"),
        ("sklearn", ["map", "m.lpr", "md.xyz", "-o", "new.png"], "pip install 'lpr-fast[view]'"),
        (
            "chemfiles",
            ["score", "m.lpr", "md.xtc", "-o", "new.csv", "--topology", "md.xyz"],
            "install 'lpr-fast[traj]'",
        ),
        ("distributed", ["score", "m.lpr", "md.xyz", "--scheduler", "tcp://here:1"], "pip install 'lpr-fast[dask]'"),
        ("h5py", ["score", "m.lpr", "md.xyz", "-o", "new.h5"], "pip install 'lpr-fast[cli]'"),
        ("matplotlib", ["plot", "md.h5", "-o", "new.png"], "pip install 'lpr-fast[cli]'"),
    ],
)
def test_outputs_and_inputs_say_what_they_need(
    package: str, arguments: list[str], expected: str, tmp_path: Path, trajectory: Path, model: SparseKernelModel
) -> None:
    model.save(tmp_path / "m.lpr")
    score_trajectory(model, trajectory, [tmp_path / "md.h5"])
    (tmp_path / "md.xtc").write_bytes(b"")
    before = set(tmp_path.iterdir())
    given = [str(tmp_path / argument) if "." in argument else argument for argument in arguments]
    result = run(package, "from lpr_fast.command_line import main; main()", *given)
    (sentence,) = result.stderr.splitlines()
    assert (result.returncode, result.stdout) == (2, "")
    assert package in sentence
    assert expected in sentence
    assert sentence.count("install it with") == 1
    assert set(tmp_path.iterdir()) == before
