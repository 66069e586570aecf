"""Toy models: what the rigidity measures
======================================

Figures 1 to 3 and S2 of `Chong et al. <https://doi.org/10.1021/acs.jctc.3c00704>`__ An environment is a number x. A
structure is a set of environments. Its target is the sum of a local property y(x) = sin 8x + x² over them. The model is
linear, y(x) ~ phi(x) · w, and is trained on energies per atom::

    L(w) = sum_A w_A (Y_A - X_A . w)^2 + mu |w|^2
    X_A = sum of phi over structure A,    w_A = 1 / N_A^2

Hold one local prediction epsilon away from its optimum, and let all weights relax. The loss grows by::

    L(epsilon) - L(0) = LPR epsilon^2
    LPR = 1 / (phi^T H^-1 phi),    H = sum_A w_A X_A X_A^T + mu I

(equation 7 of the paper). The LPR is the curvature of this parabola: half its second derivative, because L is written
without a factor of 1/2.

.. image:: /gallery/toy.png
   :alt: Above: the loss with one local prediction held is a parabola of curvature LPR; LPR profile of a toy
         model. Below: profiles of two phases, and of two types, in one proportion.
"""

# %%
# The calls to copy
# -----------------
#
# .. literalinclude:: /gallery/toy.py
#    :language: python
#    :pyobject: recipe
#    :prepend: from lpr_fast import Rigidity
#
# Settings
# --------
#
# .. list-table::
#    :widths: 20 80
#    :stub-columns: 1
#
#    * - model
#      - linear in 24 Gaussians of width 0.06 on a grid from −0.1 to 1.1, scaled to \|phi\| = 1
#    * - loss
#      - per atom, w_A = 1 / N_A²; mu \|w\|²
#    * - figures 1, 2
#      - 20 structures of 8 environments, uniform in 0 to 0.8, and one structure of 8 times x = 0.4; mu = 10⁻⁵, 10⁻³,
#        10⁻¹
#    * - figure 3
#      - 200 structures of 8 and 8 environments: two intervals of x (phases), or two blocks of features (types); then
#        one more structure of 8 environments of the first part; mu = 10⁻⁶
#    * - seeds
#      - 0 to 9; they draw all environments
#
# Numbers
# -------
#
# .. literalinclude:: /gallery/toy.txt
#    :language: text
#
# Compared with the paper
# -----------------------
#
# .. list-table::
#    :widths: 30 70
#    :header-rows: 1
#
#    * - paper
#      - here
#    * - a polynomial of degree 8, four targets
#      - 24 Gaussians, 21 targets: here too there are more weights than targets
#    * - refits with one prediction held: the loss is a parabola, and its curvature is the LPR
#      - the same to 10⁻¹⁵, for a rigid, a less rigid and a loose environment
#    * - one group of a single replicated x gives a large peak at that x
#      - within 0.002; its height is 1 (loss per atom) plus the LPR without the group, for every mu
#    * - LPR about 1 is no limit
#      - the peak is 1.5 for mu = 0.1
#    * - two phases in every group, equal numbers: one peak between the phases, far above both; one group of one phase
#        raises both
#      - the mean of both phases has an LPR of 139, and none of their environments exceeds 5 · 10⁻⁶; one structure
#        raises all environments of both phases by 10⁴
#    * - two types with functions of their own, fixed ratio: both very low; one group of one type raises both
#      - the same, by 10⁴
#    * - larger mu raises and broadens the LPR
#      - from 10⁻⁵ to 10⁻¹ the peak rises by a factor of 1.4, and its height above the rest falls from 19 to 3
#
# The script
# ----------
#
# ``python docs/gallery/toy.py`` runs a reduced size within minutes; ``--full`` runs the size of this page.

# sphinx_gallery_thumbnail_path = 'gallery/toy.png'

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from common import COLOURS, Findings, Study
from numpy.typing import ArrayLike

from lpr_fast import Rigidity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CENTRES = np.linspace(-0.1, 1.1, 24)
WIDTH = 0.06
SAMPLED = (0.0, 0.8)  # where training environments are drawn; the model is asked about 0 ... 1
REPLICATED = 0.4  # the environment of which one structure consists
OUTSIDE = 0.95  # an environment unlike all training environments
N_ATOMS = 8
REGULARIZERS = (1e-5, 1e-3, 1e-1)
SHOWN = {"replicated": REPLICATED, "mixed": 0.6, "outside": OUTSIDE}
GRID = np.linspace(0, 1, 501)
MU_OF_PARTS = 1e-6


@dataclass(frozen=True)
class Size:
    """How many structures of two parts each there are, in figure 3."""

    n_mixed: int


def recipe(rows: np.ndarray, weights: np.ndarray, phi: np.ndarray, mu: float) -> np.ndarray:
    """LPR of environments: rows (N, M) of a training set and weights (N,) of its loss, phi (n, M)."""
    rigidity = Rigidity.from_features(rows, regularizer=mu, weights=weights)
    return rigidity.lpr(phi)


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
    return recipe(rows, weights, features(x), mu)


def phi_of_part(kind: str, part: str, x: np.ndarray) -> np.ndarray:
    """Features of x in 0 ... 1, mapped to the interval of a phase ("phases") or to the block of a type ("types")."""
    if kind == "phases":
        return features((0.1 if part == "a" else 0.6) + 0.2 * x)
    phi = features(0.2 + 0.3 * x)
    return np.hstack([phi, 0 * phi] if part == "a" else [0 * phi, phi])


def row_of_parts(kind: str, n_a: int, n_b: int, generator: np.random.Generator) -> np.ndarray:
    """Row of a structure of so many environments of either part."""
    drawn = [phi_of_part(kind, part, generator.uniform(size=n)) for part, n in (("a", n_a), ("b", n_b))]
    return np.vstack(drawn).sum(axis=0)


def lpr_of_parts(rows: np.ndarray, sizes: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """LPR over both parts."""
    x = np.linspace(0, 1, 41)
    a, b = (recipe(rows, 1 / sizes**2, phi_of_part(kind, part, x), MU_OF_PARTS) for part in "ab")
    return a, b


def measure_definition(structures: list[np.ndarray], found: Findings) -> None:
    """Figure 1: the constrained loss is a parabola, and its curvature the LPR."""
    rows, targets, weights = training_rows(structures)
    epsilon, mu = np.linspace(-1, 1, 9), REGULARIZERS[1]
    errors = []
    for name, x in SHOWN.items():
        measured = curvature(epsilon, constrained_loss(rows, targets, weights, mu, features([x])[0], epsilon))
        (lpr,) = profile(structures, mu, [x])
        errors.append(abs(measured / lpr - 1))
        found.numbers[f"LPR of the {name} environment, x = {x:g}"] = lpr
    found.numbers["largest difference of curvature and LPR, relative"] = max(errors)


def measure_profile(structures: list[np.ndarray], found: Findings) -> None:
    """Figures 2 and S2: the peak at the replicated environment, and what the regularizer makes of it."""
    sampled = np.linspace(*SAMPLED, 161)
    away = sampled[np.abs(sampled - REPLICATED) > 2 * WIDTH]
    for mu in REGULARIZERS:
        without, with_pure = (profile(chosen, mu, [REPLICATED])[0] for chosen in (structures[:-1], structures))
        median = np.median(profile(structures, mu, away))
        found.numbers[f"mu = {mu:g}: peak without the pure structure"] = without
        found.numbers[f"mu = {mu:g}: peak with it"] = with_pure
        found.numbers[f"mu = {mu:g}: peak over median elsewhere"] = with_pure / median
    top = GRID[np.argmax(profile(structures, REGULARIZERS[0], GRID))]
    found.numbers["distance of the highest LPR from the replicated x"] = abs(top - REPLICATED)


def measure_parts(kind: str, n_mixed: int, seed: int, found: Findings) -> None:
    """Figure 3: two parts that always come in the same proportion, and one structure of one part alone."""
    generator = np.random.default_rng(seed)
    rows = np.stack([row_of_parts(kind, 8, 8, generator) for _ in range(n_mixed)])
    pure = row_of_parts(kind, 8, 0, generator)
    sizes = np.full(n_mixed, 16.0)
    before = lpr_of_parts(rows, sizes, kind)
    after = lpr_of_parts(np.vstack([rows, pure]), np.append(sizes, 8), kind)
    half = np.stack([phi_of_part(kind, part, np.linspace(0, 1, 41)).mean(axis=0) for part in "ab"]).mean(axis=0)
    found.numbers[f"two {kind}: largest LPR of either"] = max(map(np.max, before))
    found.numbers[f"two {kind}: LPR of half of each"] = recipe(rows, 1 / sizes**2, half[None], MU_OF_PARTS)[0]
    for part, old, new in zip(("first", "second"), before, after, strict=True):
        rise = np.min(new / old)
        found.numbers[f"two {kind}, one structure of the first alone: least rise of the {part}"] = rise
    found.drawn[kind] = (before, after)


def measure(size: Size, seed: int) -> Findings:
    """All the numbers of one seed."""
    structures = toy_structures(seed)
    found = Findings(drawn={"structures": structures})
    measure_definition(structures, found)
    measure_profile(structures, found)
    for kind in ("phases", "types"):
        measure_parts(kind, size.n_mixed, seed, found)
    return found


def power(mu: float) -> str:
    """A power of ten as a label."""
    return rf"$\mu = 10^{{{round(np.log10(mu))}}}$"


def draw_parabola(axes: Axes, structures: list[np.ndarray]) -> None:
    """Figure 1."""
    rows, targets, weights = training_rows(structures)
    dots, line = np.linspace(-1, 1, 10), np.linspace(-1, 1, 201)
    mu = REGULARIZERS[1]
    for (name, at), marker, shade in zip(SHOWN.items(), "os^", ("0.0", "0.4", "0.6"), strict=True):
        loss = constrained_loss(rows, targets, weights, mu, features([at])[0], np.append(dots, 0.0))
        lpr = profile(structures, mu, [at])[0]
        axes.plot(line, lpr * line**2, color=shade)
        axes.plot(dots, loss[:-1] - loss[-1], marker, color=shade, label=f"{name}, $x$ = {at:g}: LPR = {lpr:.2g}")
    axes.plot([], [], color="0.4", label=r"lines: LPR $\varepsilon^2$; marks: minimised")
    axes.set(title=f"Loss minimised with one prediction held, {power(mu)}", ylim=(-0.03, 1.75))
    axes.set_xlabel(r"shift $\varepsilon$ of the local prediction (units of $y$)")
    axes.set_ylabel(r"$L(\varepsilon) - L(0)$ (units of $y^2$)")
    axes.legend(frameon=False, loc="upper center")


def draw_profile(axes: Axes, structures: list[np.ndarray]) -> None:
    """Figure 2."""
    for mu, colour in zip(REGULARIZERS, COLOURS, strict=False):
        axes.semilogy(GRID, profile(structures, mu, GRID), color=colour, label=power(mu))
        axes.axhline(mu, color=colour, linewidth=0.8, linestyle=":")
    axes.plot([], [], ":", color="0.3", linewidth=0.8, label=r"floor, LPR = $\mu$")
    drawn = np.concatenate(structures[:-1])
    height = axes.get_xaxis_transform()
    axes.plot(drawn, np.full(len(drawn), 0.025), "|", color="0.3", transform=height, label="training environments")
    note = f"one structure of {N_ATOMS} equal environments"
    axes.annotate(note, (REPLICATED, 1.8), (REPLICATED, 7), ha="center", arrowprops={"arrowstyle": "->"})
    axes.set(title="Profile of the LPR", xlim=(0, 1), ylim=(2e-6, 20))
    axes.set(xlabel="environment $x$", ylabel="LPR (dimensionless; loss per atom)")
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 0.1), labelspacing=0.25)


def draw_parts(axes: Axes, kind: str, lpr: tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]) -> None:
    """Figure 3."""
    x = np.linspace(0, 1, 41)
    for curves, style, when in zip(lpr, (":", "-"), ("8 and 8 alone", "and one of 8 and 0"), strict=True):
        for curve, colour, part in zip(curves, COLOURS, ("first", "second"), strict=False):
            axes.semilogy(x, curve, style, color=colour, label=f"{part}, {when}")
    axes.set(title=f"Two {kind} in one proportion", xlabel="environment, within its part", ylim=(5e-7, 20))
    axes.legend(frameon=False, loc="center", labelspacing=0.25)


def draw(figure: Figure, findings: list[Findings]) -> None:
    """Draw the first seed."""
    drawn = findings[0].drawn
    axes = figure.subplots(2, 2)
    draw_parabola(axes[0, 0], drawn["structures"])
    draw_profile(axes[0, 1], drawn["structures"])
    for at, kind in zip(axes[1], ("phases", "types"), strict=True):
        draw_parts(at, kind, drawn[kind])


STUDY = Study(
    __file__, recipe, measure, draw, reduced=Size(60), full=Size(200), n_seeds=(3, 10), picture_inches=(11, 9)
)

if __name__ == "__main__":
    STUDY.main()
