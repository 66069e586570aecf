"""``python -m lpr_fast``: the command ``lpr-fast``, or, with ``--cmake-dir``, the folder of the C++ library."""

from __future__ import annotations

import sys

from ._answers import ANSWERS


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
