"""The C++ library in the wheel and in an installation: other programs find it, link it, and get the right numbers."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import distribution, entry_points
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

import lpr_fast

from .structures import fitted

ROOT = Path(__file__).parents[1]
MINOR = lpr_fast.__version__.rpartition(".")[0]
CONSUMER = Path(__file__).parent / "consumer"
PACKAGE = Path(lpr_fast._core.__file__).parent
SITE = Path(str(distribution("cmeel-eigen").locate_file("")))
SEARCH = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])


def run(*command: object) -> subprocess.CompletedProcess[str]:
    """The command, in an environment that leads to no other package."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("CMAKE_")}
    words = [str(word) for word in command]
    return subprocess.run(words, env={**variables, "PATH": SEARCH}, capture_output=True, text=True, check=False)


def succeed(*command: object) -> str:
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def configure_and_build(build: Path, *arguments: object, target: str = "all") -> Path:
    succeed("cmake", "-S", CONSUMER, "-B", build, *arguments)
    succeed("cmake", "--build", build, "--target", target, "--parallel", 2)
    return build


def told(option: str) -> str:
    return succeed(sys.executable, "-m", "lpr_fast", option).strip()


@pytest.fixture(scope="module")
def consumer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All programs, against the wheel: with an Eigen of another kind, and a shared library."""
    avx2 = "x86-64-v3" in lpr_fast.cpu_info().available
    return configure_and_build(
        tmp_path_factory.mktemp("consumer"),
        f"-Dlpr_fast_DIR={told('--cmake-dir')}",
        f"-DEIGEN_INCLUDE_DIR={SITE / 'cmeel.prefix' / 'include' / 'eigen3'}",
        f"-DEIGEN_FLAGS={'-mavx2;-mfma' if avx2 else ''}",
        "-DBUILD_SHARED_LIBS=ON",
        "-DCMAKE_BUILD_TYPE=Release",
        "-DCMAKE_CXX_VISIBILITY_PRESET=hidden",
        "-DCMAKE_COMPILE_WARNING_AS_ERROR=ON",
    )


@pytest.fixture(scope="module")
def from_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program whose build contains the library's, built as fast as can be: not optimised, by clang if it is there."""
    return configure_and_build(
        tmp_path_factory.mktemp("from_source"),
        f"-DLPR_FAST_SOURCE={ROOT}",
        f"-DCMAKE_PREFIX_PATH={SITE}",
        *([f"-DCMAKE_CXX_COMPILER={clang}"] if (clang := shutil.which("clang++")) else []),
        "-DLPR_FAST_INSTALL=ON",
        "-DLPR_FAST_X86_LEVELS=OFF",
        "-DCMAKE_UNITY_BUILD=ON",
        "-DCMAKE_BUILD_TYPE=Release",
        "-DCMAKE_CXX_FLAGS_RELEASE=-O0 -DNDEBUG",
        target="driver",
    )


@pytest.fixture(scope="module")
def moved_prefix(from_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation that was moved to another place."""
    folder = tmp_path_factory.mktemp("prefix")
    succeed("cmake", "--install", from_source, "--prefix", folder / "first", "--component", "library")
    return (folder / "first").rename(folder / "second")


def numbers(program: Path, *arguments: object) -> list[float]:
    return [float(line) for line in succeed(program, *arguments).splitlines()]


def drawn(n_rows: int, state: int) -> np.ndarray:
    """The rows of consumer/problem.hpp."""
    values = []
    for _ in range(n_rows * 24):
        state = (state * 1664525 + 1013904223) % 2**32
        values.append(state / 2**32 - 0.5)
    return np.array(values).reshape(n_rows, 24)


def from_the_definition() -> np.ndarray:
    rows, phi = drawn(60, 1), drawn(70, 2)
    hessian = rows.T @ rows + 0.125 * np.eye(24)
    return np.einsum("ij,ij->i", phi, np.linalg.solve(hessian, phi.T).T)


def test_a_program_linked_to_the_wheel_gives_the_numbers_of_the_definition(consumer: Path) -> None:
    np.testing.assert_allclose(numbers(consumer / "driver"), from_the_definition(), rtol=1e-12)


def test_a_program_linked_to_a_moved_installation_does_too(moved_prefix: Path, tmp_path: Path) -> None:
    build = configure_and_build(tmp_path, f"-DCMAKE_PREFIX_PATH={moved_prefix}", target="driver")
    np.testing.assert_allclose(numbers(build / "driver"), from_the_definition(), rtol=1e-12)


def test_a_program_that_builds_the_library_itself_does_too(from_source: Path) -> None:
    np.testing.assert_allclose(numbers(from_source / "driver"), from_the_definition(), rtol=1e-12)


def test_a_program_in_c_scores_with_a_model_file(consumer: Path, tmp_path: Path) -> None:
    X = np.array([[1.0, 2.0], [3.0, 1.0], [0.5, 0.5]])
    model = lpr_fast.LinearModel.from_arrays(X, [14, 14, 14], [0, 1, 2], regularizer=0.1)
    model.save(tmp_path / "model.lpr")
    (printed,) = numbers(consumer / "c_driver", tmp_path / "model.lpr", 14, 0.25, 0.75)
    assert printed == pytest.approx(model.score_features([[0.25, 0.75]], [14]).lpr[0], rel=1e-14)
    refused = run(consumer / "c_driver", tmp_path / "none.lpr", 14, 0.25)
    assert refused.returncode == 1
    assert "none.lpr" in refused.stdout


def test_a_program_scores_structures_with_a_model_file_alone(consumer: Path, tmp_path: Path) -> None:
    model = fitted()
    model.save(tmp_path / "model.lpr")
    positions = [[0.0, 0.0, 0.0], [1.25, 1.5, 1.25], [0.0, 2.75, 2.5], [2.5, 0.25, 2.75]]
    frame = Atoms("Si4", positions, cell=[5.5, 5.5, 5.5], pbc=True)
    program = consumer / "structure_driver"
    np.testing.assert_array_equal(numbers(program, tmp_path / "model.lpr"), model.score(frame).lpr)
    assert not re.search("featomic|metatensor", succeed("ldd", program))


def test_a_program_with_another_eigen_changes_no_bit_and_is_changed_in_none(consumer: Path) -> None:
    printed = numbers(consumer / "eigen_driver")
    assert printed[:70] == numbers(consumer / "driver")
    np.testing.assert_allclose(printed[70:], from_the_definition(), rtol=1e-12)


def test_exceptions_reach_the_program_and_the_header_has_the_version_of_the_package(consumer: Path) -> None:
    refused = run(consumer / "driver", "with a mistake")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"lpr_fast {lpr_fast.__version__}: the model size M is 0;")


def test_a_shared_library_that_wraps_the_archive_exports_only_its_own_function(consumer: Path) -> None:
    library = consumer / "libwrapper.so"
    printed = succeed("nm", "-D", "--defined-only", library)
    assert {line.split()[-1] for line in printed.splitlines()} == {"first_form"}

    first_form = ctypes.CDLL(str(library)).first_form
    first_form.restype = ctypes.c_double
    assert first_form() == numbers(consumer / "driver")[0]


def test_all_symbols_of_the_archive_are_hidden() -> None:
    printed = succeed("readelf", "--syms", "--wide", PACKAGE / "lib" / "liblpr_fast.a")
    symbols = [line.split() for line in printed.splitlines() if re.search(r" (GLOBAL|WEAK|UNIQUE) ", line)]
    ours = [symbol for symbol in symbols if "lpr_fast" in symbol[-1] and symbol[6] != "UND"]
    assert ours
    assert not [symbol[-1] for symbol in ours if symbol[5] != "HIDDEN"]


def assert_names_no_folder_of_this_machine(prefix: Path, *other: Path) -> None:
    installed = [path for part in ("include", "lib") for path in (prefix / part).rglob("*") if path.is_file()]
    assert {path.suffix for path in installed} >= {".a", ".cmake", ".hpp"}
    folders = [str(folder).encode() for folder in (ROOT, SITE, prefix, *other)]
    for path in installed:
        content = path.read_bytes()
        assert not [folder for folder in folders if folder in content], path
        if path.suffix == ".cmake":
            assert not re.search(rb'[\s";=(]/\w+/', content), path


def test_nothing_installed_names_a_folder_of_this_machine(moved_prefix: Path, from_source: Path) -> None:
    assert_names_no_folder_of_this_machine(moved_prefix, moved_prefix.with_name("first"), from_source)
    assert_names_no_folder_of_this_machine(PACKAGE)


def test_nothing_private_is_asked_of_the_linker() -> None:
    targets = (PACKAGE / "lib" / "cmake" / "lpr_fast" / "lpr_fast-targets.cmake").read_text()
    linked = re.search(r'INTERFACE_LINK_LIBRARIES "(.*)"', targets)
    assert linked
    needed = set(re.findall(r"LINK_ONLY:(.*?)>", linked.group(1)))
    assert len(linked.group(1).split(";")) == linked.group(1).count("LINK_ONLY")
    assert needed <= {"", "Threads::Threads", "OpenMP::OpenMP_CXX"}


def found(folder: Path, request: str, languages: str) -> subprocess.CompletedProcess[str]:
    """What becomes of a request for the wheel's package in a project of some languages."""
    project = f"""cmake_minimum_required(VERSION 3.22)
        project(request LANGUAGES {languages})
        find_package(lpr_fast {request} CONFIG)
        message(STATUS "found ${{lpr_fast_FOUND}} because ${{lpr_fast_NOT_FOUND_MESSAGE}}")
    """
    (folder / "CMakeLists.txt").write_text(project)
    return run("cmake", "-S", folder, "-B", folder / "build", f"-Dlpr_fast_ROOT={PACKAGE}")


@pytest.mark.parametrize(
    ("request_text", "languages", "answer"),
    [
        (f"{MINOR} COMPONENTS soup", "CXX", "lacks one of the components 'soup'"),
        (f"{MINOR} OPTIONAL_COMPONENTS soup", "CXX", "found (1|TRUE) because"),
        (f"{MINOR} COMPONENTS soap", "CXX", "found (1|TRUE) because"),
        (MINOR, "C", "found (0|FALSE) because lpr_fast is linked as C\\+\\+: add CXX to the languages of the project"),
        ("0.0", "NONE", f"version: {lpr_fast.__version__}"),
        ("0.99", "NONE", f"version: {lpr_fast.__version__}"),
    ],
)
def test_what_cannot_be_found_is_said(tmp_path: Path, request_text: str, languages: str, answer: str) -> None:
    done = found(tmp_path, request_text, languages)
    assert re.search(answer, re.sub(r"\s+", " ", done.stdout + done.stderr)), done.stdout + done.stderr


def test_the_package_tells_where_it_is() -> None:
    assert told("--version") == lpr_fast.__version__
    assert (Path(told("--include-dir")) / "lpr_fast" / "lpr_fast.hpp").is_file()
    assert (Path(told("--cmake-dir")) / "lpr_fast-config.cmake").is_file()


def test_each_of_these_options_stands_alone() -> None:
    refused = run(sys.executable, "-m", "lpr_fast", "--cmake-dir", "--version")
    assert refused.returncode == 2
    assert refused.stderr == "lpr-fast: --cmake-dir takes no arguments, but got --version; leave it out.\n"


def test_builds_with_scikit_build_core_are_led_to_the_package() -> None:
    (entry,) = entry_points(group="cmake.root", name="lpr_fast")
    assert Path(str(files(entry.load()))) / "lib" / "cmake" / "lpr_fast" == Path(told("--cmake-dir"))
