"""Features and their gradient beside features alone: what forces cost."""

from __future__ import annotations

from importlib import resources
from typing import Any

import ase.build
import ase.io
import numpy as np
from ase import Atoms
from measure import arguments, compare, finish, print_machine

from lpr_fast import _core
from lpr_fast.descriptors._hypers import checked_hypers
from lpr_fast.descriptors._radial_table import radial_table
from lpr_fast.descriptors._structures import structure_of


def hypers(radius: float, *, toy: bool) -> dict[str, Any]:
    """Eight radial functions and seven degrees, or a few."""
    basis = {"type": "TensorProduct", "max_angular": 6, "radial": {"type": "Gto", "max_radial": 7}}
    return {
        "cutoff": {"radius": radius, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
        "density": {"type": "Gaussian", "width": 0.4},
        "basis": {**basis, "max_angular": 1, "radial": {"type": "Gto", "max_radial": 1}} if toy else basis,
    }


def silicon() -> Atoms:
    """A frame of the demo."""
    return next(ase.io.iread(str(resources.files("lpr_fast") / "demo_data" / "trajectory.xyz")))


def alloy() -> Atoms:
    """Molybdenum with a tantalum atom at every second place."""
    frame = ase.build.bulk("Mo", cubic=True)
    frame.numbers[1] = 73
    return frame


FRAMES = {
    "silicon, 5 A": (silicon, 5.0, 3),
    "carbon, 4.5 A": (lambda: ase.build.bulk("C", cubic=True), 4.5, 6),
    "Mo-Ta, 5 A": (alloy, 5.0, 8),
    "four species, 4.5 A": (lambda: ase.build.molecule("CH3CONH2", cell=[6.0, 6.0, 6.0], pbc=True), 4.5, 5),
}


class Problem:
    """A frame, its descriptor, and derivatives with respect to features."""

    def __init__(self, name: str, *, toy: bool) -> None:
        make, radius, repeats = FRAMES[name]
        self.frame = make() * (1 if toy else repeats)
        self.frame.rattle(0.05, seed=0)
        species = sorted({int(number) for number in self.frame.numbers})
        table = radial_table(checked_hypers(hypers(radius, toy=toy)))
        self.soap = _core.Soap(table.angular, table.n_radial, table.edges, table.coefficients, table.center, species)
        self.structure = structure_of(self.frame, radius, species)
        self.derivatives = np.random.default_rng(0).normal(size=(len(self.frame), self.soap.n_features))

    def features(self, n_threads: int) -> object:
        """Features alone."""
        return self.soap.features([self.structure], [None], n_threads)

    def both(self, n_threads: int) -> object:
        """Features, then forces and virial."""
        return self.features(n_threads), self.soap.gradient(self.structure, self.derivatives, n_threads)


def main() -> None:
    """Print the ratios of all frames, on one thread unless another number is wanted."""
    options = arguments(__doc__)
    n_threads = options.threads or 1
    print_machine(n_threads)
    for name in FRAMES:
        problem = Problem(name, toy=options.toy)
        title = f"{name}, {len(problem.frame)} atoms"
        jobs = {
            "features": lambda problem=problem: problem.features(n_threads),
            "features and gradient": lambda problem=problem: problem.both(n_threads),
        }
        compare(title, jobs, options.repeats)
    finish()


if __name__ == "__main__":
    main()
