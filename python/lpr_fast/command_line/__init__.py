"""The command ``lpr-fast``."""

from __future__ import annotations

import signal
import sys

from .._errors import MissingPackageError


def missing(error: ImportError) -> str:
    """The sentence for packages that are not installed."""
    if isinstance(error, MissingPackageError) and "[atoms]" not in str(error):
        return str(error)  # of an option that needs more than the command line does
    reason = error.__cause__ or error  # the floors below would ask for less than the command line needs
    return (
        f"the command line needs packages that are missing ({reason}); install them with: pip install 'lpr-fast[cli]'"
    )


def main() -> None:
    """Run the command line, or say what it needs."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: no half-written file stays behind
    try:
        from ._commands import lpr_fast
    except ImportError as error:
        print(f"lpr-fast: {missing(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("lpr-fast: interrupted; no file was written.", file=sys.stderr)
        sys.exit(130)
    lpr_fast(prog_name="lpr-fast")
