"""``python -m lpr_fast``: the command ``lpr-fast``, or, with ``--cmake-dir``, the folder of the C++ library."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from . import __version__, _core
from ._versions import versions

# The C++ library lies beside the compiled module. An editable installation keeps the Python files elsewhere.
PREFIX = Path(_core.__file__).parent

# Questions of build systems and for bug reports. NumPy alone answers them, before the command line is imported.
ANSWERS: dict[str, Callable[[], object]] = {
    "--cmake-dir": lambda: PREFIX / "lib" / "cmake" / "lpr_fast",  # for -Dlpr_fast_DIR
    "--include-dir": lambda: PREFIX / "include",
    "--version": lambda: __version__,
    "--versions": versions,
}


def main() -> None:
    """Print the answer to an option in ``ANSWERS``, or run the command line."""
    options = [argument for argument in sys.argv[1:2] if argument in ANSWERS]
    if not options:
        from .command_line import main as command_line

        command_line()
    elif len(sys.argv) > 2:
        more = " ".join(sys.argv[2:])
        print(f"lpr-fast: {options[0]} takes no arguments, but got {more}; leave it out.", file=sys.stderr)
        sys.exit(2)
    else:
        print(ANSWERS[options[0]]())


if __name__ == "__main__":
    main()
