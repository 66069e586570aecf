"""``python -m lpr_fast``: the command ``lpr-fast``; with ``--cmake-dir``, where the C++ library is."""

from __future__ import annotations

import sys
from pathlib import Path

from . import __version__, _core

# Beside the compiled module, also where an editable installation keeps the Python files elsewhere.
PREFIX = Path(_core.__file__).parent

# What build systems ask for, with NumPy alone installed.
ANSWERS = {
    "--cmake-dir": PREFIX / "lib" / "cmake" / "lpr_fast",  # for -Dlpr_fast_DIR
    "--include-dir": PREFIX / "include",
    "--version": __version__,
}


def main() -> None:
    """Print the one thing that was asked for, or run the command line."""
    asked = [argument for argument in sys.argv[1:2] if argument in ANSWERS]
    if not asked:
        from .command_line import main as command_line

        command_line()
    elif len(sys.argv) > 2:
        more = " ".join(sys.argv[2:])
        print(f"lpr-fast: {asked[0]} stands alone, but {more} follows; leave it out.", file=sys.stderr)
        sys.exit(2)
    else:
        print(ANSWERS[asked[0]])


if __name__ == "__main__":
    main()
