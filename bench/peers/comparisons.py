"""Each peer's numbers beside those of lpr_fast for the same input."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from lpr_fast import Rigidity

from .elsewhere import run
from .inputs import FOLDER, Array, Inputs, silicon, sums_of

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.oracle.exact import exact_quadratic_forms
from tests.oracle.problems import Problem

# Regularizers, relative to the mean squared norm of the training environments.
ALPHAS = [1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12, 1e-14]

# One atom of so many is compared with 400-bit arithmetic.
_EVERY = 64

# QUIP adds the square of its regularisation, 0.001 by default, to k(i,i) and to the diagonal of K_MM.
_OF_QUIP = 1e-6


@dataclass(frozen=True)
class Options:
    """What every comparison takes."""

    python: str
    repeats: int
    n_threads: int
    toy: bool


def largest(ratio: Array) -> float:
    """Largest relative difference from 1."""
    return float(np.abs(ratio - 1).max())


def ranks(a: Array, b: Array) -> float:
    """Spearman's correlation."""
    return float(spearmanr(a, b).statistic)


def seconds_of(job: Callable[[], Array], repeats: int) -> tuple[Array, float]:
    """The result, and the median of the times."""
    taken = []
    for _ in range(repeats + 1):
        start = perf_counter()
        found = job()
        taken.append(perf_counter() - start)
    return found, float(np.median(taken[1:]))


def describe(version: Any, inputs: Inputs) -> None:
    """What ran on what."""
    n_atoms, n_features = inputs.train.shape
    print(f"{version}; silicon: {len(inputs.energies)} structures, {n_atoms} atoms, ", end="")
    print(f"{n_features} features; test: {len(inputs.test)} atoms")


def linear(inputs: Inputs, alpha: float, n_threads: int) -> Array:
    """LPR of the test environments for a loss per atom."""
    mu = alpha * inputs.square_norm
    model = Rigidity.from_features(inputs.sums, weights=1 / inputs.sizes**2, regularizer=mu, n_threads=n_threads)
    return model.lpr(inputs.test, n_threads=n_threads)


def exact(inputs: Inputs, alpha: float) -> Array:
    """The same of some environments, in 400-bit arithmetic."""
    mu, weights = alpha * inputs.square_norm, 1 / inputs.sizes**2
    problem = Problem("silicon", inputs.test[::_EVERY], mu, rows=inputs.sums, weights=weights)
    return 1 / np.array([float(form) for form in exact_quadratic_forms(problem)])


def skmatter(options: Options) -> None:
    """Agreement, errors and times for each regularizer."""
    inputs = silicon(toy=options.toy)
    alphas = ALPHAS[:2] if options.toy else ALPHAS
    theirs = run("with_skmatter.py", options.python, {**inputs.arrays(), "alphas": alphas, "repeats": options.repeats})
    describe(theirs["version"], inputs)
    heads = ("rank_diff", "difference", "error of it", "of lpr_fast", "seconds", "of lpr_fast", "ratio")
    print(f"{'':<12s}" + "".join(f"{head:>13s}" for head in heads))
    for i, alpha in enumerate(alphas):
        ours, seconds = seconds_of(lambda alpha=alpha: linear(inputs, alpha, options.n_threads), options.repeats)  # type: ignore[misc]
        truth, found = exact(inputs, alpha), theirs["lpr"][i]
        numbers = (
            *(float(theirs["rank_differences"][i]), largest(found / ours)),
            *(largest(found[::_EVERY] / truth), largest(ours[::_EVERY] / truth)),
            *(float(np.median(theirs["seconds"][i])), seconds, seconds / float(np.median(theirs["seconds"][i]))),
        )
        print(f"alpha {alpha:<6.0e}" + "".join(f"{number:>13.2g}" for number in numbers))


def laplace(options: Options) -> None:
    """1 / LPR beside the variance of the GLM predictive, for each approximation of the Hessian and two regularizers."""
    inputs = silicon(toy=options.toy)
    print(f"{'':<18s}" + "".join(f"{head:>13s}" for head in ("difference", "error of it", "of lpr_fast", "Spearman")))
    for alpha in (1e-4, 1e-10):
        rows, mu = inputs.sums / inputs.sizes[:, None], alpha * inputs.square_norm
        given = {"rows": rows, "targets": inputs.energies, "test": inputs.test}
        theirs = run("with_laplace.py", options.python, {**given, "regularizer": mu, "repeats": options.repeats})
        ours, truth = linear(inputs, alpha, options.n_threads), exact(inputs, alpha)
        for name, variance in zip(theirs["structures"], theirs["variances"], strict=True):
            found = 1 / variance
            errors = (largest(found / ours), largest(found[::_EVERY] / truth), largest(ours[::_EVERY] / truth))
            print(f"{name:<5s} alpha {alpha:<6.0e}" + "".join(f"{x:>13.2g}" for x in (*errors, ranks(found, ours))))
    describe(theirs["version"], inputs)


def files() -> dict[str, str]:
    """Structures, for peers that describe them themselves."""
    return {"training": str(FOLDER / "train.xyz"), "frames": str(FOLDER / "trajectory.xyz")}


def metatrain(options: Options) -> None:
    """LLPR beside 1 / LPR of the last layer."""
    theirs = run("with_metatrain.py", options.python, files())
    rows, weights = sums_of(theirs["train"], theirs["structure"]), 1 / np.bincount(theirs["structure"]) ** 2
    print(f"{theirs['version']}; {len(rows)} structures, last layer of {rows.shape[1]} features")
    names = ("regularizers", "multipliers", "uncertainties")
    for mu, multiplier, uncertainty in zip(*(theirs[name] for name in names), strict=True):
        model = Rigidity.from_features(rows, weights=weights, regularizer=float(mu))
        ratio = uncertainty / (multiplier / np.sqrt(model.lpr(theirs["test"])))
        print(f"regularizer {mu:.0e}, condition number of R {model.condition_number:.2g}: ", end="")
        print(f"uncertainty over multiplier / sqrt(LPR) {largest(ratio):.2g} from 1")


def quippy(options: Options) -> None:
    """local_gap_variance beside the residual, 1 / LPR and their sum, with all training structures and with half."""
    theirs = run("with_quippy.py", options.python, files())
    inputs = silicon(toy=True)
    active, delta = theirs["train"][theirs["sparse"]], float(theirs["delta"])

    def kernel(a: Array) -> Array:
        return np.asarray(delta**2 * (a @ active.T) ** int(theirs["zeta"]))

    K_NM, K_MM, k = sums_of(kernel(theirs["train"]), inputs.structure), kernel(active), kernel(theirs["test"])
    weights = 1 / (inputs.sizes * float(theirs["sigma"]) ** 2)  # sigma is that of one atom
    whole, half = (
        Rigidity.from_kernels(K_NM[::step], K_MM, weights=weights[::step], regularizer=1.0) for step in (1, 2)
    )
    as_quip = k @ np.linalg.solve(K_MM + _OF_QUIP * np.eye(len(K_MM)), k.T)
    formula = delta**2 + _OF_QUIP - np.diagonal(as_quip)
    residual, variance = whole.residual(k, delta**2), theirs["variance"]
    print(f"{theirs['version']}; {len(inputs.energies)} structures, M = {len(active)}, {len(k)} test atoms")
    print(f"local_gap_variance over its formula: {largest(variance / formula):.2g} from 1")
    print(f"{'':<40s}{'lowest':>12s}{'median':>12s}{'highest':>12s}{'Spearman':>12s}")
    for name, values in {
        "local_gap_variance": variance,
        "residual": residual,
        "1 / LPR, all structures": 1 / whole.lpr(k),
        "1 / LPR, every other structure": 1 / half.lpr(k),
        "residual + 1 / LPR": residual + 1 / whole.lpr(k),
    }.items():
        numbers = (*np.quantile(values, [0, 0.5, 1]), ranks(values, variance))
        print(f"{name:<40s}" + "".join(f"{x:>12.3g}" for x in numbers))


def pyace(options: Options) -> None:
    """Gamma beside LPR from the same features, of the training atoms and of the test atoms."""
    inputs = silicon(toy=True)
    theirs = run("with_pyace.py", options.python, inputs.arrays())
    describe(theirs["version"], inputs)
    model, less = (
        Rigidity.from_features(inputs.sums[rows], weights=1 / inputs.sizes[rows] ** 2, regularizer=mu)
        for mu in (1e-6 * inputs.square_norm,)
        for rows in (slice(None), slice(None, None, 2))
    )
    for name, gamma, rows in (
        ("training atoms", theirs["of_train"], inputs.train),
        ("test atoms", theirs["of_test"], inputs.test),
    ):
        lpr = model.lpr(rows)
        numbers = (*np.quantile(gamma, [0, 0.5, 1]), *np.quantile(lpr, [0, 0.5, 1]), ranks(gamma, 1 / lpr))
        print(f"{name:<18s}gamma {numbers[0]:.2g} {numbers[1]:.2g} {numbers[2]:.3g}", end="; ")
        print(f"LPR {numbers[3]:.2g} {numbers[4]:.2g} {numbers[5]:.2g}; Spearman {numbers[6]:.2f}")
    fell = less.lpr(inputs.test) / model.lpr(inputs.test)
    print(f"LPR of test atoms with every other structure over that with all: {np.median(fell):.2g} (median)")
    print(f"seconds: active set {float(theirs['seconds_active_set']):.2g}, gamma {float(theirs['seconds']):.2g}")


def ace_jax(options: Options) -> None:
    """Posterior variance of local energies beside 1 / LPR from the same weighted rows and the same prior."""
    theirs = run("with_ace_jax.py", options.python, files())
    rows, test = theirs["rows"], theirs["test"]
    print(f"{theirs['version']}; {rows.shape[0]} rows, {rows.shape[1]} basis functions, {len(test)} test atoms")
    model = Rigidity.from_kernels(rows, np.diag(theirs["prior"].diagonal()), regularizer=1.0)
    print(f"variance times LPR: {largest(theirs['variance'] * model.lpr(test)):.2g} from 1; ", end="")
    print(f"condition number of R {model.condition_number:.2g}")


# Name of the module, what compares it.
PEERS: dict[str, Callable[[Options], None]] = {
    "skmatter": skmatter,
    "laplace": laplace,
    "metatrain": metatrain,
    "quippy": quippy,
    "pyace": pyace,
    "ace_jax": ace_jax,
}
