"""Questions of build systems and for bug reports: where the C++ library is, versions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from . import __version__, _core
from ._versions import versions

# The C++ library lies beside the compiled module. An editable installation keeps the Python files elsewhere.
PREFIX = Path(_core.__file__).parent

# NumPy alone answers them, before the command line is imported.
ANSWERS: dict[str, Callable[[], object]] = {
    "--cmake-dir": lambda: PREFIX / "lib" / "cmake" / "lpr_fast",  # for -Dlpr_fast_DIR
    "--include-dir": lambda: PREFIX / "include",
    "--version": lambda: __version__,
    "--versions": versions,
}
