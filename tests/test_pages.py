"""Every block of Python and of shell commands in README.md and docs/ runs as it stands there.

The blocks of a page run in their order, in a folder with the files that the pages speak of; those of Python share one
namespace. What there cannot be here (a cluster, an installation) is looked at only: its options have to exist.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ase.io
import pytest
from ase.md.verlet import VelocityVerlet

import lpr_fast

from .structures import fitted

ROOT = Path(__file__).parents[1]
DATA = Path(lpr_fast.__file__).parent / "demo_data"
# The blocks of these are compiled, and run, by test_cpp_pages.py and by cpp/lammps/tests/test_page.py.
OF_OTHER_TESTS = {f"docs/guides/{name}.md" for name in ("cpp", "c", "fortran", "install-cpp", "lammps")}
PAGES = {
    name: path
    for path in [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "docs" / "gallery" / "README.rst"]
    if (name := path.relative_to(ROOT).as_posix()) not in OF_OTHER_TESTS
}
RST_BLOCK = re.compile(r"^\.\. code-block:: (\w+)\n\n((?: +.*\n|\n)+)", re.MULTILINE)
FENCE = re.compile(r"^( *)(`{3,})([^`\n]*)\n(.*?)^ *\2$", re.DOTALL | re.MULTILINE)
RUN = {"python", "sh"}
NOT_RUN = {"", "cmake"}  # what is printed, and CMakeLists.txt

# Runs in tests/test_cluster.py, with processes in place of jobs.
OF_A_CLUSTER = "from dask_jobqueue import"

# Programs that would install or need machines: what they are given is looked at.
PROGRAMS = f"""
set -euo pipefail
options_of() {{  # a command line and its help: are these options there?
  local argument
  for argument in "${{@:2}}"; do
    case $argument in --*) grep --quiet --word-regexp --regexp="${{argument%%=*}}" <<< "$1" || {{
      echo "no option $argument" >&2; return 1; }};; esac
  done
}}
make() {{ command make --dry-run --directory='{ROOT}' "$@" > /dev/null; }}
simulate() {{ cat md.xyz; }}
dask() {{ options_of "$(command dask "$1" --help)" "$@"; }}
pip() {{ python -c '
import re, sys
from importlib.metadata import metadata
asked = {{extra for part in re.findall(r"\\[(.+?)\\]", sys.argv[1]) for extra in part.split(",")}}
unknown = asked - set(metadata("lpr-fast").get_all("Provides-Extra"))
sys.exit(f"no extra {{unknown}}" if unknown else 0)' "$*"; }}
lpr-fast() {{
  case " $* " in
    *" --scheduler "* | *" --shard "* | " merge "*) options_of "$(command lpr-fast "$1" --help)" "$@" ;;
    *) command lpr-fast "$@" ;;
  esac
}}
"""


def blocks_of(page: Path) -> Iterator[tuple[int, str, str]]:
    """Line, language and text of each block; those in braces are directives, which Sphinx checks."""
    text = page.read_text()
    if page.suffix == ".rst":
        for match in RST_BLOCK.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, match[1], textwrap.dedent(match[2])
        return
    for match in FENCE.finditer(text):
        if not match[3].startswith("{"):
            yield text.count("\n", 0, match.start()) + 1, match[3], textwrap.dedent(match[4])


class ShortRun(VelocityVerlet):
    """Forty steps are enough here, however many a page asks for."""

    def run(self, steps: int = 40) -> bool:
        return super().run(min(steps, 40))  # type: ignore[no-any-return]


def of_simulations() -> dict[str, Any]:
    from ase.calculators.lj import LennardJones

    frame = ase.io.read("trajectory.xyz", 0)
    frame.calc = LennardJones(epsilon=0.01, sigma=2.0, rc=4.0)
    return {"dynamics": ShortRun(frame, timestep=0.5)}


# Names that the Python blocks of a page take for granted.
GIVEN: dict[str, Callable[[], dict[str, Any]]] = {"docs/guides/simulations.md": of_simulations}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages speak of: a training set, trajectories, a model."""
    folder = tmp_path_factory.mktemp("pages")
    for name in ("train.xyz", "trajectory.xyz", "alloy_train.xyz"):
        shutil.copy(DATA / name, folder / name)
    frames = ase.io.read(folder / "trajectory.xyz", ":")
    training = ase.io.read(folder / "train.xyz", ":")
    ase.io.write(folder / "md.xyz", frames[::3])
    for name, part in (("run1.xyz.gz", training[:40]), ("run2.xyz", training), ("run2.xyz.gz", frames[1:3])):
        ase.io.write(folder / name, part, format="extxyz")
    fitted(training[:20]).save(folder / "si.lpr")
    for name in ("docs", "python"):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.mark.parametrize(
    "name", [name for name, page in PAGES.items() if RUN & {block[1] for block in blocks_of(page)}]
)
def test_the_blocks_of_the_page_run(
    name: str, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(files, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    namespace = {"__name__": "__main__", **GIVEN.get(name, dict)()}
    for line, language, text in blocks_of(PAGES[name]):
        if language == "sh":
            done = subprocess.run(["bash", "-c", PROGRAMS + text], stdin=subprocess.DEVNULL, check=False)
            assert done.returncode == 0, f"{name}:{line}: {capfd.readouterr().err}"
        elif language == "python":
            code = compile("\n" * line + text, str(PAGES[name]), "exec")
            if OF_A_CLUSTER not in text:
                exec(code, namespace)


@pytest.mark.parametrize("name", PAGES)
def test_every_block_says_what_it_is(name: str) -> None:
    assert {language for _, language, _ in blocks_of(PAGES[name])} <= RUN | NOT_RUN
