"""What importing the package costs over importing NumPy, in fresh processes."""

from __future__ import annotations

import subprocess
import sys

from measure import arguments, compare, finish, print_machine


def main() -> None:
    """Print seconds and ratios of whole processes."""
    options = arguments(__doc__)
    print_machine(options.threads)

    def importing(module: str) -> None:
        subprocess.run([sys.executable, "-c", f"import {module}"], check=True)

    jobs = {"import numpy": lambda: importing("numpy"), "import lpr_fast": lambda: importing("lpr_fast")}
    compare("a fresh process", jobs, options.repeats)
    finish()


if __name__ == "__main__":
    main()
