"""The package as a whole: what importing it costs, what it says of itself, what it exports."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import metadata, version
from pathlib import Path

import pytest

import lpr_fast
from lpr_fast._answers import ANSWERS

ROOT = Path(__file__).parents[1]


def modules_after(statement: str) -> set[str]:
    code = f"{statement}; import sys; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True).stdout
    return {name.split(".")[0] for name in printed.split()}


def test_importing_loads_nothing_but_numpy() -> None:
    standard = set(sys.stdlib_module_names)
    added = modules_after("import lpr_fast") - modules_after("import numpy") - standard
    assert added <= {"lpr_fast"}, added


def test_a_command_imports_what_it_uses_when_it_runs() -> None:
    loaded = modules_after("import lpr_fast.command_line._commands")
    assert not loaded & {"ase", "featomic", "h5py", "matplotlib", "scipy", "yaml"}


def test_completion_offers_public_names_alone() -> None:
    assert dir(lpr_fast) == sorted(lpr_fast.__all__)
    assert all(hasattr(lpr_fast, name) for name in dir(lpr_fast))


def test_one_version_is_told_everywhere() -> None:
    header = "cpp/include/lpr_fast/version.hpp"
    patterns = {
        header: r'LPR_FAST_VERSION "(.+)"',
        "CITATION.cff": r"(?m)^version: (\S+)",
        "cpp/lammps/pyproject.toml": r'(?m)^version = "(.+)"',
        "cpp/include/lpr_fast/lpr_fast.h": r'Version of the library, such as "(.+)"',
        "cpp/include/lpr_fast/lpr_fast.f90": r'Version of the library, such as "(.+)"',
    }
    text = {file: (ROOT / file).read_text() for file in patterns}
    found = {file: re.findall(pattern, text[file]) for file, pattern in patterns.items()}
    assert found == {file: [lpr_fast.__version__] for file in patterns}
    parts = re.findall(r"LPR_FAST_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", text[header])
    assert ".".join(parts) == version("lpr-fast") == lpr_fast.__version__
    assert f"\n## {lpr_fast.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_pages_ask_cmake_for_this_minor_version() -> None:
    minor = lpr_fast.__version__.rpartition(".")[0]
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests" / "consumer").glob("CMakeLists.txt")]
    asked = {number for page in pages for number in re.findall(r"find_package\(lpr_fast ([0-9.]+)", page.read_text())}
    assert asked == {minor}


def test_the_install_page_says_what_every_extra_is_for() -> None:
    rows = [line for line in (ROOT / "docs/start/install.md").read_text().splitlines() if line.startswith("| `'.[")]
    told = {extra for row in rows for extra in re.findall(r"'\.\[(\w+)\]'", row)}
    assert told == set(metadata("lpr-fast").get_all("Provides-Extra"))


def test_every_public_name_is_documented() -> None:
    assert lpr_fast.__doc__
    for name in lpr_fast.__all__:
        thing = getattr(lpr_fast, name)
        if isinstance(thing, type):
            assert thing.__doc__, name
            for member, value in vars(thing).items():
                if not member.startswith("_") and (callable(value) or isinstance(value, property | classmethod)):
                    assert getattr(thing, member).__doc__ or value.__doc__, f"{name}.{member}"


USER_CODE = """
from pathlib import Path
from lpr_fast import LocalScores, Run, RunSummary, Scores, StructureModel, load_model, score_trajectory

def lowest(path: Path) -> float:
    model: StructureModel = load_model(path)
    scores: Scores = model.score([])
    local: LocalScores = scores
    others: LocalScores = model.score_features([[1.0]], [14])
    run: Run = score_trajectory(model, "md.xyz")
    summary: RunSummary = run.summary
    print(scores.frame, scores.atom, local.variance, others.residual, local.local_energy)
    return summary.quantile(0.05) if summary.lpr_lowest is None else summary.lpr_lowest.value
"""


def test_the_types_of_what_is_exported_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(USER_CODE)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", tmp_path / "user.py"]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_the_extension_exports_nothing_of_the_core_or_of_eigen() -> None:
    command = ["nm", "-D", "--defined-only", lpr_fast._core.__file__]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    names = {line.split()[-1] for line in printed.splitlines()}
    assert "PyInit__core" in names
    assert not {name for name in names if "lpr_fast" in name or "igen" in name}


def instruction_set_in_use(forced: str) -> subprocess.CompletedProcess[str]:
    code = "import lpr_fast; print(lpr_fast.cpu_info().instruction_set)"
    variables = {**os.environ, "LPR_FAST_INSTRUCTION_SET": forced}
    return subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=False)


def test_every_available_instruction_set_can_be_forced() -> None:
    available = lpr_fast.cpu_info().available
    assert lpr_fast.cpu_info().instruction_set == os.environ.get("LPR_FAST_INSTRUCTION_SET", available[-1])
    for name in available:
        assert instruction_set_in_use(name).stdout.strip() == name


def test_an_instruction_set_that_is_not_there_is_refused() -> None:
    refused = instruction_set_in_use("mmx")
    assert refused.returncode == 1
    assert "LPR_FAST_INSTRUCTION_SET is 'mmx', but this processor and this build have" in refused.stderr


def test_all_that_is_compiled_is_small() -> None:
    package = Path(lpr_fast._core.__file__).parent
    compiled = [*package.rglob("*.so"), *package.rglob("*.a")]
    assert len(compiled) >= 2
    assert sum(path.stat().st_size for path in compiled) < 6_000_000


@pytest.mark.parametrize("arguments", [[], ["--help"], ["score", "--help"], ["info", "nowhere.lpr"], ["nonsense"]])
def test_the_module_is_the_command_line(arguments: list[str]) -> None:
    command = Path(sys.executable).with_name("lpr-fast")
    of_command, of_module = (
        subprocess.run([*program, *arguments], capture_output=True, text=True, check=False)
        for program in ([str(command)], [sys.executable, "-m", "lpr_fast"])
    )
    assert (of_module.returncode, of_module.stdout, of_module.stderr) == (
        of_command.returncode,
        of_command.stdout,
        of_command.stderr,
    )


@pytest.mark.parametrize("option", ["--cmake-dir", "--include-dir", "--version"])
def test_build_systems_are_answered_without_the_packages_of_the_command_line(option: str) -> None:
    hidden = "import sys; sys.modules['click'] = sys.modules['ase'] = None"
    code = f"{hidden}; sys.argv[1:] = [{option!r}]; import runpy; runpy.run_module('lpr_fast', run_name='__main__')"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed.strip() == lpr_fast.__version__ or Path(printed.strip()).is_dir()


@pytest.mark.parametrize("option", ANSWERS)
def test_the_help_lists_the_options_for_build_systems(option: str) -> None:
    command = [sys.executable, "-m", "lpr_fast", "--help"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert f"\n  {option} " in printed


def test_one_command_prints_what_a_bug_report_names() -> None:
    command = [sys.executable, "-m", "lpr_fast", "--versions"]
    variables = {**os.environ, "OMP_NUM_THREADS": "3"}
    printed = subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout
    lines = printed.splitlines()
    assert lines[0] == f"lpr-fast {lpr_fast.__version__}"
    assert f"instruction set {lpr_fast.cpu_info().instruction_set} " in printed
    assert lines[3].startswith("threads 3 of ")
    assert f"numpy {version('numpy')}" in lines


@pytest.mark.parametrize(
    ("shell", "words", "expected"),
    [
        ("bash", "lpr-fast sc", ["score"]),
        ("zsh", "lpr-fast me", ["merge"]),
        ("fish", "lpr-fast score --least", ["--least-rigid"]),
    ],
)
def test_shells_complete_commands_and_options(shell: str, words: str, expected: list[str]) -> None:
    last = words.split()[-1] if shell == "fish" else str(len(words.split()) - 1)
    variables = {**os.environ, "_LPR_FAST_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": last}
    command = Path(sys.executable).with_name("lpr-fast")
    printed = subprocess.run([command], env=variables, check=True, capture_output=True, text=True).stdout
    found = [word for word in printed.replace(",", " ").split() if word in {"score", "merge", "fit", "--least-rigid"}]
    assert found == expected
