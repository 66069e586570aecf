"""The command ``lpr-fast``."""

from __future__ import annotations

import atexit
import gc
import signal
import sys

from .._errors import MissingPackageError


def missing(error: ImportError) -> str:
    """A sentence that says how to install missing packages."""
    if isinstance(error, MissingPackageError) and "[atoms]" not in str(error):
        return str(error)  # an option needs this package
    reason = error.__cause__ or error  # its own advice would install less than [cli]
    return (
        f"the command line needs packages that are not installed ({reason}); install them with: pip install "
        "'lpr-fast[cli]'"
    )


def main() -> None:
    """Run the command line; if packages are missing, say how to install them."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: no partial file is left
    atexit.register(gc.freeze)  # modules need no search for garbage: the process ends a tenth of a second sooner
    try:
        from ._commands import lpr_fast
    except ImportError as error:
        print(f"lpr-fast: {missing(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("lpr-fast: interrupted; no file was written.", file=sys.stderr)
        sys.exit(130)
    lpr_fast(prog_name="lpr-fast")
