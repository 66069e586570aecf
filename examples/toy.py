"""A one-dimensional toy that shows what the local prediction rigidity (LPR) measures.

An environment is a number x, a structure is a set of environments, and its target is the sum of a local property y(x)
over them. The model is linear, y(x) ~ phi(x) . w, and is trained on energies per atom:

    L(w) = sum_A w_A (Y_A - X_A . w)^2 + mu |w|^2,    X_A = sum of phi over structure A,    w_A = 1 / N_A^2

Forcing one local prediction to be epsilon away from its optimum, and letting all the weights relax, costs

    L(epsilon) - L(0) = LPR epsilon^2,    LPR = 1 / (phi^T H^-1 phi),    H = sum_A w_A X_A X_A^T + mu I

(equation 7 of S. Chong et al., J. Chem. Theory Comput. 2023, 19, 8020): LPR is the curvature of this parabola, half its
second derivative, as L is written without a factor of 1/2.

    python examples/toy.py OUTPUT_FOLDER    (the picture needs matplotlib: pip install "lpr-fast[demo]")
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from lpr_fast import Rigidity

CENTRES = np.linspace(-0.1, 1.1, 24)
WIDTH = 0.06
SAMPLED = (0.0, 0.8)  # where training environments are drawn; the model is asked about 0 ... 1
REPLICATED = 0.4  # the environment of which one structure consists
OUTSIDE = 0.95  # an environment unlike all training environments
N_ATOMS = 8
REGULARIZERS = (1e-5, 1e-3, 1e-1)
SHOWN = {"replicated": REPLICATED, "mixed": 0.6, "outside": OUTSIDE}
COLOURS = ("#0072B2", "#D55E00", "#009E73")  # Okabe and Ito: distinct for all common kinds of colour vision


def features(x: ArrayLike) -> np.ndarray:
    """Gaussians on a grid, normalised to |phi| = 1: one row for each environment."""
    gaussians = np.exp(-0.5 * ((np.asarray(x, dtype=float)[:, None] - CENTRES) / WIDTH) ** 2)
    return gaussians / np.linalg.norm(gaussians, axis=1, keepdims=True)


def local_property(x: np.ndarray) -> np.ndarray:
    """The local truth y(x), of which the model sees only sums."""
    return np.sin(8 * x) + x**2


def toy_structures(seed: int, n_structures: int = 20) -> list[np.ndarray]:
    """Structures of random environments, and as the last one `N_ATOMS` times the same environment."""
    generator = np.random.default_rng(seed)
    mixed = [generator.uniform(*SAMPLED, N_ATOMS) for _ in range(n_structures)]
    return [*mixed, np.full(N_ATOMS, REPLICATED)]


def training_rows(structures: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows X_A (features summed), targets Y_A (properties summed) and weights w_A = 1 / N_A^2 of the loss per atom."""
    rows = np.stack([features(x).sum(axis=0) for x in structures])
    targets = np.array([local_property(x).sum() for x in structures])
    weights = np.array([1 / len(x) ** 2 for x in structures])
    return rows, targets, weights


def constrained_loss(
    rows: np.ndarray, targets: np.ndarray, weights: np.ndarray, mu: float, phi: np.ndarray, epsilon: np.ndarray
) -> np.ndarray:
    """The smallest loss with the prediction for `phi` forced to be each `epsilon` away from its optimum.

    The weights are phi a + Z z, with the columns of Z orthogonal to phi: the constraint fixes a, least squares finds z.
    """
    matrix = np.vstack([np.sqrt(weights)[:, None] * rows, np.sqrt(mu) * np.eye(rows.shape[1])])
    right_side = np.concatenate([np.sqrt(weights) * targets, np.zeros(rows.shape[1])])
    optimum = phi @ np.linalg.lstsq(matrix, right_side, rcond=None)[0]
    fixed = np.outer(phi, optimum + epsilon) / (phi @ phi)
    free = np.linalg.qr(phi[:, None], mode="complete")[0][:, 1:]
    remainder = right_side[:, None] - matrix @ fixed
    z = np.linalg.lstsq(matrix @ free, remainder, rcond=None)[0]
    return np.sum((remainder - matrix @ free @ z) ** 2, axis=0)


def curvature(epsilon: np.ndarray, loss: np.ndarray) -> float:
    """The coefficient of epsilon^2 in the parabola through the losses."""
    return float(np.polyfit(epsilon, loss, 2)[0])


def profile(structures: list[np.ndarray], mu: float, x: ArrayLike) -> np.ndarray:
    """LPR of the environments x, on energies per atom."""
    rows, _, weights = training_rows(structures)
    return Rigidity.from_features(rows, regularizer=mu, weights=weights).lpr(features(x))


def print_tables(structures: list[np.ndarray]) -> None:
    """Print the numbers behind both panels of the picture."""
    rows, targets, weights = training_rows(structures)
    epsilon = np.linspace(-1, 1, 9)
    mu = REGULARIZERS[1]
    print(f"{len(structures)} structures of {N_ATOMS} environments, {len(CENTRES)} basis functions, loss per atom\n")
    print(f"Curvature of the constrained loss, minimised numerically, and lpr(), at mu = {mu:g}")
    print(f"{'environment':>12} {'x':>5} {'curvature':>14} {'lpr()':>14} {'difference':>11}")
    for name, x in SHOWN.items():
        measured = curvature(epsilon, constrained_loss(rows, targets, weights, mu, features([x])[0], epsilon))
        lpr = profile(structures, mu, [x])[0]
        print(f"{name:>12} {x:5.2f} {measured:14.10f} {lpr:14.10f} {abs(measured / lpr - 1):11.0e}")

    sampled = np.linspace(*SAMPLED, 161)
    away = sampled[np.abs(sampled - REPLICATED) > 2 * WIDTH]
    print(f"\nThe peak at the replicated environment x = {REPLICATED:g}, and the effect of the regularizer mu")
    print(f"{'mu':>12} {'peak':>9} {'median away':>12} {'peak / median':>14} {f'outside, x = {OUTSIDE}':>18}")
    for mu in REGULARIZERS:
        peak, outside = profile(structures, mu, [REPLICATED, OUTSIDE])
        median = np.median(profile(structures, mu, away))
        print(f"{mu:12g} {peak:9.4f} {median:12.4f} {peak / median:14.1f} {outside:18.6f}")
    print("Pure structure: at least 1, whatever mu. Mixed structures: less. Unlike all: close to mu, the floor.\n")


def power(mu: float) -> str:
    """A power of ten as a label."""
    return rf"$\mu = 10^{{{round(np.log10(mu))}}}$"


def plot(structures: list[np.ndarray], x: np.ndarray, profiles: list[np.ndarray], path: Path) -> None:
    """Draw the parabola and the profile of the LPR."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    rows, targets, weights = training_rows(structures)
    dots, line = np.linspace(-1, 1, 10), np.linspace(-1, 1, 201)
    mu = REGULARIZERS[1]
    for (name, at), marker, shade in zip(SHOWN.items(), "os^", ("0.0", "0.4", "0.6"), strict=True):
        loss = constrained_loss(rows, targets, weights, mu, features([at])[0], np.append(dots, 0.0))
        lpr = profile(structures, mu, [at])[0]
        left.plot(line, lpr * line**2, color=shade)
        left.plot(dots, loss[:-1] - loss[-1], marker, color=shade, label=f"{name}, $x$ = {at:g}: LPR = {lpr:.2g}")
        right.plot(at, lpr, marker, color=shade, zorder=3)
    left.plot([], [], color="0.4", label=r"lines: LPR $\varepsilon^2$; marks: minimised")
    left.set(title=f"Loss minimised with one prediction held, {power(mu)}", ylim=(-0.03, 1.75))
    left.set_xlabel(r"shift $\varepsilon$ of the local prediction (units of $y$)")
    left.set_ylabel(r"$L(\varepsilon) - L(0)$ (units of $y^2$)")
    left.legend(frameon=False, loc="upper center")

    for lpr, mu, colour in zip(profiles, REGULARIZERS, COLOURS, strict=True):
        right.semilogy(x, lpr, color=colour, label=power(mu))
        right.axhline(mu, color=colour, linewidth=0.8, linestyle=":")
    right.plot([], [], ":", color="0.3", linewidth=0.8, label=r"floor, LPR = $\mu$")
    drawn = np.concatenate(structures[:-1])
    height = right.get_xaxis_transform()
    right.plot(drawn, np.full(len(drawn), 0.025), "|", color="0.3", transform=height, label="training environments")
    note = f"one structure of {N_ATOMS} equal environments"
    right.annotate(note, (REPLICATED, 1.8), (REPLICATED, 7), ha="center", arrowprops={"arrowstyle": "->"})
    right.set(title="Profile of the LPR", xlim=(x[0], x[-1]), ylim=(2e-6, 20))
    right.set(xlabel="environment $x$", ylabel="LPR (dimensionless; loss per atom)")
    right.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 0.1), labelspacing=0.25)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    """Write toy.csv and toy.png, and print the tables."""
    parser = argparse.ArgumentParser(description="A one-dimensional toy of the local prediction rigidity.")
    parser.add_argument("folder", metavar="OUTPUT_FOLDER", type=Path, help="for toy.png and toy.csv; made if missing")
    folder = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)

    structures = toy_structures(seed=0)
    print_tables(structures)
    x = np.linspace(0, 1, 501)
    profiles = [profile(structures, mu, x) for mu in REGULARIZERS]
    header = ",".join(["x", *(f"lpr_mu_{mu:g}" for mu in REGULARIZERS)])
    np.savetxt(folder / "toy.csv", np.column_stack([x, *profiles]), "%.10g", delimiter=",", header=header, comments="")
    print(f"profile: {folder / 'toy.csv'}")
    plot(structures, x, profiles, folder / "toy.png")
    print(f"picture: {folder / 'toy.png'}")


if __name__ == "__main__":
    main()
