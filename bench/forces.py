"""Energies, forces and virials, and gradients of scores, beside the features, kernels and scores that they stand on."""

from __future__ import annotations

import warnings
from functools import partial

import ase.build
import ase.io
import numpy as np
from ase import Atoms
from measure import Job, arguments, compare, finish, print_machine
from soap import hypers
from suite.structure_cases import silicon

from lpr_fast import SparseKernelModel, _core
from lpr_fast.descriptors._structures import structure_of


def silicon_frames(*, toy: bool) -> tuple[list[Atoms], list[Atoms]]:
    """Training structures and one to predict, of the demo."""
    return silicon("train", toy=toy), [silicon("trajectory", toy=toy)[0].repeat(1 if toy else 3)]


def alloy_frames(*, toy: bool) -> tuple[list[Atoms], list[Atoms]]:
    """Molybdenum and tantalum, made up: the energies mean nothing."""
    rng, crystal, frames = np.random.default_rng(0), ase.build.bulk("Mo", cubic=True).repeat(2), []
    for _ in range(4 if toy else 81):
        frame = crystal.copy()
        frame.positions += rng.normal(scale=0.15, size=frame.positions.shape)
        frame.numbers[rng.permutation(len(frame))[: rng.integers(1, len(frame))]] = 73
        frame.info["energy"] = float(rng.normal())
        frames.append(frame)
    return frames[:-1], [frames[-1].repeat(1 if toy else 4)]


class Problem:
    """A model, and structures that it predicts."""

    def __init__(self, frames: list[Atoms], predicted: list[Atoms], size: int, *, toy: bool) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            n_radial, n_angular = (3, 3) if toy else (8, 7)
            fitted = SparseKernelModel.fit(
                frames, hypers=hypers(5.0, n_radial, n_angular), n_active=size, regularizer=1e-4, energy_key="energy"
            )
        assert fitted.cutoff is not None
        self.model, self.species = fitted._model, list(fitted.species)
        self.scorer = _core.SoapScorer(self.model)
        self.structure = structure_of(predicted[0], fitted.cutoff, self.species)
        self.size, self.n_atoms = fitted._model.size, len(predicted[0])

    def features(self, n_threads: int) -> np.ndarray:
        """Features alone."""
        return self.scorer.soap.features([self.structure], [None], n_threads)

    def jobs(self, n_threads: int) -> dict[str, Job]:
        """Energies alone are features, kernels and sums."""
        ten = np.random.default_rng(1).normal(size=(10, self.size))
        return {
            "energies": lambda: self.scorer.predict(self.structure, None, n_threads, None, False),  # noqa: FBT003
            "features": lambda: self.features(n_threads),
            "energies, forces, virial": lambda: self.scorer.predict(self.structure, None, n_threads),
            "the same of ten weight vectors": lambda: self.scorer.predict(self.structure, ten, n_threads),
        }

    def gradient_jobs(self, n_threads: int) -> dict[str, Job]:
        """Scores, which are all that the model gives, and the gradients of their sums."""
        columns = [
            name for name in ("lpr", "lpr_held", "variance", "residual") if name != "lpr_held" or len(self.species) > 1
        ]
        jobs: dict[str, Job] = {"scores": lambda: self.scorer.score([self.structure], [None], False, n_threads)}  # noqa: FBT003
        gradient = partial(self.scorer.score_gradient, self.structure, n_threads=n_threads)
        for name in columns:
            jobs[f"gradient of {name}"] = partial(gradient, quantity=name, coefficients=None, power=None)
        jobs["gradient of the smooth smallest lpr"] = partial(gradient, quantity="lpr", coefficients=None, power=8.0)
        return jobs


def main() -> None:
    """Print seconds and ratios, on one thread unless another number is wanted."""
    options = arguments(__doc__)
    n_threads = options.threads or 1
    print_machine(n_threads)
    for name, frames_of in (("silicon", silicon_frames), ("Mo-Ta", alloy_frames)):
        for size in (10,) if options.toy else (250, 1000):
            problem = Problem(*frames_of(toy=options.toy), size, toy=options.toy)
            title = f"{name}, {problem.n_atoms} atoms, M = {problem.size}"
            compare(title, problem.jobs(n_threads), options.repeats)
            compare(title, problem.gradient_jobs(n_threads), options.repeats)
    finish()


if __name__ == "__main__":
    main()
