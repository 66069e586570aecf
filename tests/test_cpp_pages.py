"""Every block of the guides to C++, C and Fortran is compiled or run as it stands there.

Parts of programs become functions of one program, beside declarations of the names that the pages take for granted;
those of CMakeLists.txt become projects. What takes minutes (building the library) is configured only.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest

import lpr_fast

from .structures import fitted
from .test_pages import ROOT, blocks_of

PAGES = [ROOT / "docs" / "guides" / f"{name}.md" for name in ("cpp", "c", "fortran", "install-cpp")]
PACKAGE = Path(lpr_fast._core.__file__).parent
SITE = Path(str(distribution("cmeel-eigen").locate_file("")))
STRICT = ["-Wall", "-Wextra", "-Werror"]
LANGUAGES = {"cpp", "c", "fortran", "cmake", "sh", ""}  # "" is what programs print

GIVEN_CPP = """
#include <array>
#include <cstdint>
#include <vector>
#include <lpr_fast/lpr_fast.hpp>
static const lpr_fast::Index n = 2, n_atoms = 4, n_local = 2, M = 3, n_rows = 5;
static const double mu = 0.1;
static const std::int64_t n_steps = 3;
static const std::vector<double> many(100000, 0.5), rows(15, 0.5), phi(12, 0.5);
static const double* const features = many.data();
static const double positions[] = {0, 0, 0, 1.2, 1.4, 1.2, 0, 2.7, 2.5, 2.5, 0.2, 2.7};
static const int species[] = {14, 14, 14, 14};
static std::vector<double> lpr(4);
static const lpr_fast::SoapScorer scorer(lpr_fast::Model::load("si.lpr"));
static const lpr_fast::Configuration atoms{{positions, 4, 3}, species, 2};
static const lpr_fast::Structure structure(atoms, scorer.soap().species(), scorer.cutoff());
static std::vector<double> forces(12);
[[maybe_unused]] static void advance() {}
[[maybe_unused]] static void write_frame() {}
"""

GIVEN_C = """
#include <stdio.h>
#include "lpr_fast/lpr_fast.h"
enum { n = 2, n_atoms = 4, n_local = 2 };
static double features[100000] = {0.5}, lpr[4], residual[4];
static const double positions[] = {0, 0, 0, 1.2, 1.4, 1.2, 0, 2.7, 2.5, 2.5, 0.2, 2.7};
static const double cell[9] = {5.5, 0, 0, 0, 5.5, 0, 0, 0, 5.5};
static const int species[] = {14, 14, 14, 14};
static lpr_fast_model* model;
static int is_scored(void) { return lpr_fast_last_error()[0] == 0 && lpr[0] > 0; }
"""

GIVEN_FORTRAN = """
integer :: status, species(4) = 14
double precision :: features(FEATURES, 4) = 0.5d0, positions(3, 4) = &
    reshape([0d0, 0d0, 0d0, 1.2d0, 1.4d0, 1.2d0, 0d0, 2.7d0, 2.5d0, 2.5d0, 0.2d0, 2.7d0], [3, 4])
double precision :: energy, forces(3, 4), lpr(4)
double precision :: cell(3, 3) = reshape([5.5d0, 0d0, 0d0, 0d0, 5.5d0, 0d0, 0d0, 0d0, 5.5d0], [3, 3])
"""

# Programs that would install the library, or build it for minutes: their options are looked at. They end the shell if
# something is wrong, because `set -e` does not look at what stands before `&&`.
PROGRAMS = f"""
set -euo pipefail
wrong() {{ echo "wrong: $*" >&2; exit 1; }}
pip() {{ [[ "$*" = "install ." ]] || wrong pip "$@"; }}
preset() {{ (cd '{ROOT}' && command "$1" --list-presets | grep --quiet "\"$2\"") || wrong "$@"; }}
ctest() {{ preset ctest "${{2-}}"; }}
cmake() {{
  case "$1 ${{2-}}" in
    "-S "*) command cmake "$@" || wrong cmake "$@" ;;
    "--preset "*) preset cmake "$2" ;;
    "--build --preset") preset cmake "$3" ;;
    "--build "* | "--install "*) [[ -d $2 ]] || wrong cmake "$@" ;;
    *) wrong cmake "$@" ;;
  esac
}}
build/fuzz/cpp/tests/fuzz_model() {{
  local word
  for word in "$@"; do case $word in
    -dict=*) [[ -f '{ROOT}'/${{word#*=}} ]] || wrong "$word" ;;
    cpp/*) [[ -d '{ROOT}'/$word ]] || wrong "$word" ;;
  esac; done
}}
"""


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Name and text of the blocks of a language."""
    for page in PAGES:
        for line, found, text in blocks_of(page):
            if found == language:
                yield f"{page.stem}_{line}".replace("-", "_"), text


def is_program(text: str) -> bool:
    return "int main(" in text


def run(*command: object, folder: Path) -> str:
    words = [str(word) for word in command]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("CMAKE_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    variables |= {"PATH": path, "CMAKE_PREFIX_PATH": str(SITE)}
    done = subprocess.run(words, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout


def warns_of_nothing(compiler: list[str], source: str, folder: Path) -> None:
    """Check a source by another compiler too, if it is there."""
    if shutil.which(compiler[0]) is not None:
        run(*compiler, *STRICT, "-fsyntax-only", "-I", PACKAGE / "include", source, folder=folder)


def build(compiler: list[str], source: str, folder: Path) -> None:
    archive = PACKAGE / "lib" / "liblpr_fast.a"
    command = [*compiler, *STRICT, "-I", PACKAGE / "include", source, "-o", "program", archive]
    run(*command, "-lstdc++", "-lgomp", "-lm", folder=folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the model that the pages score with."""
    fitted().save(tmp_path / "si.lpr")
    return tmp_path


def test_every_block_says_what_it_is() -> None:
    assert {language for page in PAGES for _, language, _ in blocks_of(page)} <= LANGUAGES


def test_the_parts_of_programs_in_cpp_run(folder: Path) -> None:
    parts = {name: text for name, text in blocks("cpp") if not is_program(text)}
    source = GIVEN_CPP
    for name, text in parts.items():
        includes = re.findall(r"^#include.*\n", text, flags=re.MULTILINE)
        source += "".join(includes) + f"static void {name}() {{\n{text.replace(''.join(includes), '')}}}\n"
    source += "int main() {\n" + "".join(f"{name}();\n" for name in parts) + "}\n"
    (folder / "program.cpp").write_text(source)
    build(["c++", "-std=c++17"], "program.cpp", folder)
    warns_of_nothing(["clang++", "-std=c++17"], "program.cpp", folder)
    run(folder / "program", folder=folder)


def test_the_whole_program_is_the_example_that_the_tests_of_cpp_run() -> None:
    (program,) = [text for _, text in blocks("cpp") if is_program(text)]
    assert program == (ROOT / "cpp" / "examples" / "model.cpp").read_text()


def test_the_parts_of_programs_in_c_run(folder: Path) -> None:
    parts = dict(blocks("c"))
    source = GIVEN_C
    for name, text in parts.items():
        source += f"static int {name}(void) {{\n{text}return is_scored() ? 0 : 1;\n}}\n"
    calls = " || ".join(f"{name}()" for name in parts)
    source += f'int main(void) {{\nreturn lpr_fast_load("si.lpr", &model) || {calls};\n}}\n'
    (folder / "program.c").write_text(source)
    build(["cc", "-std=c99", "-pedantic"], "program.c", folder)
    warns_of_nothing(["clang", "-std=c99", "-pedantic"], "program.c", folder)
    run(folder / "program", folder=folder)


@pytest.mark.parametrize("compiler", ["c++", "clang++"])
def test_structs_of_the_headers_are_initialised_without_warnings(compiler: str, tmp_path: Path) -> None:
    """As a whole, and with their first member alone."""
    structs = ["Configuration", "GradientRows", "Observation", "Part", "Predictions", "ScoreGradient", "ScoreSum"]
    structs += ["Scores", "KernelScores", "FormScores", "HeldParts", "ModelParts", "RadialTable", "TriggerRules"]
    source = "#include <lpr_fast/lpr_fast.hpp>\n#include <lpr_fast/lpr_fast.h>\nint main() {\n"
    for name in structs:
        source += f"{{ lpr_fast::{name} a{{}}, b = {{}}, c{{{{}}}}; (void)a; (void)b; (void)c; }}\n"
    for name in ("scores", "structure", "predictions"):
        source += f"{{ lpr_fast_{name} a{{}}; a.size = sizeof(lpr_fast_{name}); (void)a; }}\n"
    (tmp_path / "program.cpp").write_text(source + "}\n")
    warns_of_nothing([compiler, "-std=c++17", "-pedantic"], "program.cpp", tmp_path)


@pytest.mark.skipif(shutil.which("gfortran") is None, reason="gfortran is not installed (apt-get install gfortran)")
def test_the_parts_of_programs_in_fortran_run(folder: Path) -> None:
    given = GIVEN_FORTRAN.replace("FEATURES", str(fitted().n_features))
    ((_, text),) = blocks("fortran")
    declarations = re.match(r"(?:(?:use|type).*\n)*", text)
    assert declarations
    actions = text[declarations.end() :].replace("\nstatus =", "\nif (status /= 0) stop 1, quiet=.true.\nstatus =")
    program = f"{declarations[0]}{given}status = 0\n{actions}if (status /= 0) stop 1, quiet=.true.\nprint *, lpr\nend\n"
    (folder / "program.f90").write_text(program)
    run("gfortran", "-std=f2018", "-c", PACKAGE / "include" / "lpr_fast" / "lpr_fast.f90", folder=folder)
    build(["gfortran", "-std=f2018", "-ffree-line-length-none", "lpr_fast.o"], "program.f90", folder)
    assert all(float(value) > 0 for value in run(folder / "program", folder=folder).split())


@pytest.mark.parametrize("name", [name for name, _ in blocks("cmake")])
def test_the_parts_of_projects_are_configured(name: str, tmp_path: Path) -> None:
    text = dict(blocks("cmake"))[name]
    head = "cmake_minimum_required(VERSION 3.22)\n" + ("" if "project(" in text else "project(host LANGUAGES CXX)\n")
    (tmp_path / "CMakeLists.txt").write_text(head + text)
    (tmp_path / "main.cpp").write_text("#include <lpr_fast/lpr_fast.hpp>\nint main() { lpr_fast::cpu_info(); }\n")
    (tmp_path / "lpr_fast").symlink_to(ROOT)
    build_folder = tmp_path / "build"
    cmake_package = PACKAGE / "lib" / "cmake" / "lpr_fast"
    run("cmake", "-S", tmp_path, "-B", build_folder, f"-Dlpr_fast_DIR={cmake_package}", folder=tmp_path)
    if "find_package" in text:
        run("cmake", "--build", build_folder, folder=tmp_path)


@pytest.mark.parametrize("name", [name for name, _ in blocks("sh")])
def test_commands_run(name: str, folder: Path) -> None:
    text = dict(blocks("sh"))[name]
    if "gfortran" in text and shutil.which("gfortran") is None:
        pytest.skip("gfortran is not installed (apt-get install gfortran)")
    shutil.copy(ROOT / "cpp" / "examples" / "fortran" / "score.f90", folder)
    (folder / "lpr_fast").symlink_to(ROOT)
    project = next(text for _, text in blocks("cmake") if "find_package" in text)
    (folder / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.22)\n" + project)
    (folder / "main.cpp").write_text("int main() {}\n")
    text = text.replace("/where/you/like", str(folder / "prefix"))
    run("bash", "-c", PROGRAMS + text, folder=folder)
