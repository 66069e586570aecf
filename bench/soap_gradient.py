"""Features and their gradient beside features alone: what forces cost."""

from __future__ import annotations

from typing import Any

import ase.build
import ase.io
import numpy as np
from ase import Atoms
from measure import arguments, compare, finish, print_machine

from lpr_fast import _core
from lpr_fast.demo_data import FOLDER
from lpr_fast.descriptors._hypers import checked_hypers
from lpr_fast.descriptors._radial_table import radial_table


def main() -> None:
    print(FOLDER)


if __name__ == "__main__":
    main()
