"""Rows of forces of a kernel model: their share of the multiply-adds that a core can do, beside NumPy's dgemm."""

from __future__ import annotations

from functools import partial
from time import perf_counter

import ase.build
import numpy as np
from ase import Atoms
from measure import Job, finish, parser, print_machine
from soap_gradient import FRAMES as FRAMES_OF_GRADIENT
from soap_gradient import hypers
from suite.peak import Peak

from lpr_fast import _core
from lpr_fast.atoms.rows._gradient_rows import GradientBasis
from lpr_fast.descriptors._hypers import checked_hypers
from lpr_fast.descriptors._radial_table import radial_table
from lpr_fast.descriptors._structures import structure_of
from lpr_fast.models._basis import SparseKernelBasis

FRAMES = {
    "silicon, 5 A": (lambda: ase.build.bulk("Si", cubic=True) * 3, 5.0),
    "silicon, 5 A, small cell": (lambda: ase.build.bulk("Si", cubic=True), 5.0),
    "carbon, 4.5 A": (lambda: ase.build.bulk("C", cubic=True) * 3, 4.5),
    "Mo-Ta, 5 A": (lambda: FRAMES_OF_GRADIENT["Mo-Ta, 5 A"][0]() * 4, 5.0),
}


class Problem:
    """A frame, a descriptor, and active environments of rattled frames like it."""

    def __init__(self, name: str, n_active: int, *, toy: bool) -> None:
        make, radius = FRAMES[name]
        frame = make()
        species = sorted({int(number) for number in frame.numbers})
        table = radial_table(checked_hypers(hypers(radius, toy=toy)))
        self.soap = _core.Soap(table.angular, table.n_radial, table.edges, table.coefficients, table.center, species)
        self.radius, self.species = radius, species
        frames = [self.rattled(frame, seed) for seed in range(1, 3 + 2 * n_active // len(frame))]
        numbers = np.concatenate([other.numbers for other in frames])
        features = self.soap.features([self.structure(other) for other in frames], [None] * len(frames), 1)
        active = {s: _core.normalised(features[numbers == s][: n_active // len(species)], 1) for s in species}
        self.active = active
        self.basis = GradientBasis(SparseKernelBasis(active, 4.0), self.soap)
        self.frame = self.rattled(frame, 0)
        self.made = self.structure(self.frame)

    def rattled(self, frame: Atoms, seed: int) -> Atoms:
        """A copy with every atom moved."""
        other = frame.copy()
        other.rattle(0.1, seed=seed)
        return other

    def structure(self, frame: Atoms) -> _core.Structure:
        """Atoms in bins."""
        return structure_of(frame, self.radius, self.species)

    @property
    def n_operations(self) -> float:
        """Of the products of jacobians with the active set; zeros, and what images have in common, counted in."""
        n = sum(
            len(self.made.neighbours(atom)[0]) * len(self.active[number])
            for atom, number in enumerate(self.frame.numbers.tolist())
        )
        return 6.0 * n * self.soap.n_features

    def rows(self, n_threads: int) -> object:
        """Rows of forces and virials."""
        return self.basis.rows(self.made, n_threads)


def dgemm(n_features: int, n_active: int) -> tuple[Job, float]:
    """NumPy's product of as many rows as 32 atoms have with an active set, and its operations."""
    random = np.random.default_rng(0)
    left, right = random.normal(size=(32 * 3 * 28, n_features)), random.normal(size=(n_features, n_active))
    return lambda: left @ right, 2.0 * left.size * n_active


def rates(jobs: dict[str, tuple[Job, float]], peak: Peak, n_threads: int, repeats: int) -> dict[str, np.ndarray]:
    """1e9 operations per second of each job and of the peak, run in turn."""
    found = {name: np.empty(repeats) for name in ("peak", *jobs)}
    for job, _ in jobs.values():
        job()
    for i in range(repeats):
        found["peak"][i] = peak.gigaflops(n_threads)
        for name, (job, n_operations) in jobs.items():
            start = perf_counter()
            job()
            found[name][i] = 1e-9 * n_operations / (perf_counter() - start)
    return found


def main() -> None:
    """Print rates and shares of the peak of all frames."""
    options = parser(__doc__)
    options.add_argument("--n-active", type=int, default=1000)
    options.add_argument("--only", help="a part of the name of a frame")
    chosen = options.parse_args()
    n_threads, n_active = chosen.threads or 1, 20 if chosen.toy else chosen.n_active
    print_machine(n_threads)
    peak = Peak(toy=chosen.toy)
    print(f"\n{'GFLOP/s (median)':<34s} {'peak':>8s} {'rows':>8s} {'dgemm':>8s}   rows / peak: min, median, max")
    for name in FRAMES:
        if chosen.only and chosen.only not in name:
            continue
        problem = Problem(name, n_active, toy=chosen.toy)
        jobs: dict[str, tuple[Job, float]] = {
            "rows": (partial(problem.rows, n_threads), problem.n_operations),
            "dgemm": dgemm(problem.soap.n_features, n_active),
        }
        found = rates(jobs, peak, n_threads, chosen.repeats)
        shares = found["rows"] / found["peak"]
        medians = "".join(f"{np.median(rate):9.1f}" for rate in found.values())
        spread = "".join(f"{f(shares):8.2f}" for f in (np.min, np.median, np.max))
        print(f"{name + f', {len(problem.frame)} atoms':<34s}{medians}   {spread}", flush=True)
    finish()


if __name__ == "__main__":
    main()
