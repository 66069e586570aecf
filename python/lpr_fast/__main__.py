"""Where the C++ library of this package is, for build systems: ``python -m lpr_fast --cmake-dir``."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import __version__, _core

# Beside the compiled module, also where an editable installation keeps the Python files elsewhere.
PREFIX = Path(_core.__file__).parent


def main() -> None:
    """Print the one thing that was asked for; a mistake in the arguments ends with exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m lpr_fast", description=__doc__, allow_abbrev=False)
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument(
        "--cmake-dir",
        action="store_const",
        dest="answer",
        const=PREFIX / "lib" / "cmake" / "lpr_fast",
        help="folder of the CMake package, for -Dlpr_fast_DIR",
    )
    asked.add_argument(
        "--include-dir",
        action="store_const",
        dest="answer",
        const=PREFIX / "include",
        help="folder of the headers",
    )
    asked.add_argument("--version", action="store_const", dest="answer", const=__version__, help="version")
    print(parser.parse_args().answer)


if __name__ == "__main__":
    main()
