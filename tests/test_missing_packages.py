"""Without an optional package, calls that need it say in one sentence what to install; all others work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import ase.io
import pytest

from .structures import fitted, silicon

# None in sys.modules makes an import fail as that of a package which is not installed.
HIDDEN = "import sys; sys.modules[{!r}] = None; "

CALLS = [
    "lpr_fast.SparseKernelModel.fit([], hypers={}, regularizer=1.0, n_active=1)",
    "lpr_fast.LinearModel.fit([], hypers={}, regularizer=1.0)",
    "next(lpr_fast.atoms._frames.checked([], 1.0))",
]


def run(package: str, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", HIDDEN.format(package) + code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("package", ["ase", "featomic", "metatensor"])
def test_models_of_structures_say_what_to_install(package: str, call: str) -> None:
    result = run(package, f"import lpr_fast; {call}")
    last = result.stderr.splitlines()[-1]
    assert last.startswith("lpr_fast._errors.MissingPackageError: models of structures need ase and featomic (")
    assert package in last
    assert last.endswith("; install them with: pip install 'lpr-fast[atoms]'")


@pytest.mark.parametrize("package", ["ase", "featomic", "metatensor"])
def test_arrays_need_none_of_them(package: str) -> None:
    code = "import lpr_fast; print(lpr_fast.Rigidity.from_features([[1.0]], regularizer=1.0).lpr([[1.0]]))"
    result = run(package, code)
    assert (result.returncode, result.stdout, result.stderr) == (0, "[2.]\n", "")


@pytest.mark.parametrize("package", ["ase", "click", "featomic", "matplotlib", "metatensor", "rich", "yaml"])
def test_the_command_line_says_what_to_install(package: str, tmp_path: Path) -> None:
    result = run(package, "from lpr_fast.command_line import main; main()", "demo", str(tmp_path / "demo"))
    assert result.returncode == 2
    assert result.stdout == ""
    (sentence,) = result.stderr.splitlines()
    assert sentence.startswith("lpr-fast: the command line needs packages that are missing (")
    assert package in sentence
    assert sentence.count("install them with") == 1
    assert sentence.endswith("; install them with: pip install 'lpr-fast[cli]'")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("package", "options", "extra"), [("distributed", ["--workers", "2"], "dask"), ("chemfiles", [], "traj")]
)
def test_options_that_need_more_say_what_to_install(
    package: str, options: list[str], extra: str, tmp_path: Path
) -> None:
    fitted().save(tmp_path / "m.lpr")
    ase.io.write(tmp_path / "a.xyz", silicon(1))
    (tmp_path / "a.xtc").write_bytes(b"")
    source = ["a.xyz"] if options else ["a.xtc", "--topology", str(tmp_path / "a.xyz")]
    arguments = ["score", str(tmp_path / "m.lpr"), str(tmp_path / source[0]), *source[1:], *options]
    result = run(package, "from lpr_fast.command_line import main; main()", *arguments)
    assert result.returncode == 2
    (sentence,) = result.stderr.splitlines()
    assert sentence.endswith(f"install it with: pip install 'lpr-fast[{extra}]'")
