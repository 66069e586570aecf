"""Generated problems on which every route to the local prediction rigidity is tested.

A problem holds the arrays that a user would pass; everything is reproducible from its name. The families follow
what makes real problems hard: kernels of smooth descriptors are nearly singular, regularizers are tiny, structure
rows differ in norm by many orders of magnitude, and training sets are much smaller or much larger than the model.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """Arrays of one problem: H = rows^T diag(weights) rows + regularizer * prior, or H = hessian + regularizer * I.

    ``independent`` lists active points that span the same space as all of them when ``prior`` is singular by
    construction: the exact answer is that of these columns alone.
    """

    name: str
    phi: Array
    regularizer: float
    rows: Array | None = None
    weights: Array | None = None
    prior: Array | None = None
    hessian: Array | None = None
    independent: Array | None = None

    def deduplicated(self) -> Problem:
        """The same problem on the independent active points only."""
        if self.independent is None:
            return self
        assert self.rows is not None
        assert self.prior is not None
        keep = self.independent
        return replace(
            self,
            rows=self.rows[:, keep],
            prior=self.prior[np.ix_(keep, keep)],
            phi=self.phi[:, keep],
            independent=None,
        )


def one_ulp(values: Array, rng: np.random.Generator) -> Array:
    """Every entry moved to its upper or lower neighbour among the floating-point numbers, zeros left alone."""
    direction = np.where(rng.random(values.shape) < 0.5, -np.inf, np.inf)
    return np.where(values == 0.0, 0.0, np.nextafter(values, direction))


def one_ulp_symmetric(matrix: Array, rng: np.random.Generator) -> Array:
    """A symmetric matrix whose upper triangle was moved by one ulp and mirrored."""
    upper = np.triu(one_ulp(matrix, rng))
    return upper + np.triu(upper, 1).T


def perturbed(problem: Problem, rng: np.random.Generator) -> Problem:
    """The problem with every input moved by one ulp; symmetric matrices stay symmetric."""
    return replace(
        problem,
        phi=one_ulp(problem.phi, rng),
        regularizer=float(one_ulp(np.array(problem.regularizer), rng)),
        rows=None if problem.rows is None else one_ulp(problem.rows, rng),
        weights=None if problem.weights is None else one_ulp(problem.weights, rng),
        prior=None if problem.prior is None else one_ulp_symmetric(problem.prior, rng),
        hessian=None if problem.hessian is None else one_ulp_symmetric(problem.hessian, rng),
    )


# Inputs have the same bits on every machine: a last bit decides whether K_MM is singular. No product, factorisation or
# power of NumPy is used, whose last bits depend on the processor.

_exp = np.vectorize(math.exp)
_pow = np.vectorize(math.pow)


def _product(a: Array, b: Array) -> Array:
    """Return a @ b, summed term by term."""
    total = np.zeros((len(a), b.shape[1]))
    for column, row in zip(a.T, b, strict=True):
        total += column[:, None] * row
    return total


def _power(base: Array, exponent: int) -> Array:
    """Base to an integer power, by multiplications."""
    return np.multiply.reduce([base] * exponent)


def _powers(base: float, count: int) -> Array:
    """1, base, base^2, ..."""
    return np.multiply.accumulate(np.array([1.0, *[base] * (count - 1)]))


def _rotation(rng: np.random.Generator, m: int) -> Array:
    """A random orthogonal matrix, by Gram and Schmidt, twice."""
    rows = rng.normal(size=(m, m))
    for i in range(m):
        for _ in range(2):
            rows[i] -= _product(_product(rows[i : i + 1], rows[:i].T), rows[:i])[0]
        rows[i] /= np.sqrt(_product(rows[i : i + 1], rows[i : i + 1].T)[0, 0])
    return rows


def _environments(rng: np.random.Generator, n: int, noise: float, decay: float) -> Array:
    """Normalised SOAP-like features: a few prototypes plus noise whose components decay geometrically."""
    spectrum = _powers(decay, 40)
    prototypes = np.abs(rng.normal(size=(4, 40))) * np.sqrt(spectrum)
    features = prototypes[rng.integers(4, size=n)] + noise * rng.normal(size=(n, 40)) * np.sqrt(spectrum)
    return features / np.sqrt((features**2).sum(axis=1, keepdims=True))


def _kernel(a: Array, b: Array, zeta: int) -> Array:
    return _power(_product(a, b.T), zeta)


def sparse_kernel(
    name: str,
    *,
    m: int,
    n: int,
    zeta: int,
    noise: float,
    decay: float,
    regularizer: float,
    atoms: int = 8,
    weighted: bool = False,
    duplicates: int = 0,
    near: float = 0.0,
) -> Problem:
    """A sparse kernel model; the last ``duplicates`` active points repeat the first ones bit for bit.

    With ``near``, the last three are that far from the first three.
    """
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    active = _environments(rng, m, noise, decay)
    active[m - duplicates :] = active[:duplicates]
    if near:
        moved = active[:3] + near / np.sqrt(40) * rng.normal(size=(3, 40))
        active[m - 3 :] = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    training = _environments(rng, n * atoms, noise, decay)
    prior = _kernel(active, active, zeta)
    k_nm = _kernel(training, active, zeta).reshape(n, atoms, m).sum(axis=1)
    phi = _kernel(_environments(rng, 12, noise, decay), active, zeta)
    return Problem(
        name=name,
        phi=phi,
        regularizer=regularizer,
        rows=k_nm,
        weights=1.0 / rng.integers(1, 65, size=n) ** 2 if weighted else None,
        prior=prior,
        independent=np.arange(m - duplicates) if duplicates else None,
    )


def integer_rank_deficient(name: str, *, m: int, rank: int, n: int, regularizer: float) -> Problem:
    """Integer features, so that the active points are linearly dependent without any rounding."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    active = rng.integers(-3, 4, size=(m, rank)).astype(float)
    active[:rank] = np.tril(active[:rank], -1) + np.diag(rng.integers(1, 4, size=rank))  # independent for certain
    training = rng.integers(-3, 4, size=(n, rank)).astype(float)
    test = rng.integers(-3, 4, size=(12, rank)).astype(float)
    return Problem(
        name=name,
        phi=test @ active.T,
        regularizer=regularizer,
        rows=training @ active.T,
        prior=active @ active.T,
        independent=np.arange(rank),
    )


def rounded_rank(name: str, *, m: int, dimension: int, zeta: int, regularizer: float) -> Problem:
    """Kernels of finite rank whose entries are rounded: all but the first active points are redundant."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    rank = math.comb(dimension + zeta - 1, zeta)
    points = [rng.normal(size=(count, dimension)) for count in (m, 8 * m, 12)]
    active, training, test = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in points)
    prior = _kernel(active, active, zeta)
    return Problem(
        name=name,
        phi=_kernel(test, active, zeta),
        regularizer=regularizer,
        rows=_kernel(training, active, zeta).reshape(m, 8, m).sum(axis=1),
        prior=np.tril(prior) + np.tril(prior, -1).T,
        independent=np.arange(rank),
    )


def clusters(
    name: str, *, m: int, distance: float, regularizer: float, sizes: tuple[int, ...] = (2,), seen: float = 0.0
) -> Problem:
    """Active points without a kernel in common, but for clusters whose points are correlated by 1 - distance.

    Training rows see a cluster as a whole, and the differences within it by ``seen``; test rows see them by so much
    that the prior alone decides about their LPR.
    """
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    prior = np.eye(m)
    rows, phi = rng.uniform(0.5, 1.5, size=(2 * m, m)), np.zeros((4 * len(sizes), m))
    for i, last in enumerate(np.cumsum(sizes)):
        inside = slice(last - sizes[i], last)
        prior[inside, inside] = np.where(np.eye(sizes[i]) == 1, 1.0, 1.0 - distance)
        rows[:, inside] = rows[:, last - 1 : last] + seen * rng.normal(size=(2 * m, sizes[i]))
        for k, visible in enumerate((0.0, 0.1, 1.0, 20.0)):
            differences = visible * np.sqrt(regularizer * distance) * rng.normal(size=sizes[i])
            phi[4 * i + k, inside] = 1.0 + differences
    return Problem(name=name, phi=phi, regularizer=regularizer, rows=rows, prior=prior)


def linear(
    name: str,
    *,
    n: int,
    m: int,
    regularizer: float,
    decay: float = 1.0,
    row_spread: float = 0.0,
    weight_spread: float = 0.0,
) -> Problem:
    """A linear model; the spreads are decades over which row norms and weights are drawn."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    mixing = _rotation(rng, m)
    spectrum = _powers(decay, m)
    rows = _product(rng.normal(size=(n, m)) * spectrum, mixing)
    rows *= _pow(10.0, -row_spread * rng.random((n, 1)))
    return Problem(
        name=name,
        phi=_product(rng.normal(size=(12, m)) * spectrum, mixing),
        regularizer=regularizer,
        rows=rows,
        weights=_pow(10.0, -weight_spread * rng.random(n)) if weight_spread else None,
    )


def dense_hessian(name: str, *, m: int, condition: float, regularizer: float) -> Problem:
    """A symmetric positive definite Hessian with a geometric spectrum, as a neural network's would be given."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    vectors = _rotation(rng, m)
    hessian = _product(vectors * _powers(condition ** (-1 / (m - 1)), m), vectors.T)
    return Problem(
        name=name,
        phi=rng.normal(size=(12, m)),
        regularizer=regularizer,
        hessian=np.tril(hessian) + np.tril(hessian, -1).T,
    )


def two_species(name: str, *, n: int, regularizer: float, heavy: float = 1.0) -> Problem:
    """Kernels that vanish between species; few structures, of very different sizes: columns in dependent blocks.

    ``heavy`` is the weight of the structures in which the second species is alone.
    """
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    m = 12
    active = [_environments(rng, m, 0.1, 0.5) for _ in range(2)]
    blocks = [_kernel(block, block, 2) for block in active]
    zero = np.zeros((m, m))
    prior = np.block([[blocks[0], zero], [zero, blocks[1]]])
    rows = np.zeros((n, 2 * m))
    for i in range(n):
        for species in range(1 if i % 3 == 0 else 0, 2):
            atoms = _environments(rng, 8 if i % 2 else 64, 0.1, 0.5)
            rows[i, species * m : (species + 1) * m] = _kernel(atoms, active[species], 2).sum(axis=0)
    phi = np.zeros((12, 2 * m))
    for i in range(12):
        columns = slice(i % 2 * m, (i % 2 + 1) * m)
        phi[i, columns] = _kernel(_environments(rng, 1, 0.1, 0.5), active[i % 2], 2)
    weights = np.where(np.arange(n) % 3 == 0, heavy, 1.0)
    return Problem(name=name, phi=phi, regularizer=regularizer, rows=rows, weights=weights, prior=prior)


def kahan(name: str, *, m: int, n_dependent: int, cosine: float, left: float) -> Problem:
    """Kahan's triangle and a few columns that are nearly combinations of its own.

    The inverse of the triangle is huge, but solutions for rows that the training rows explain are not: what multiplies
    by an inverse loses digits that substitution keeps.
    """
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    triangle = np.eye(m) - cosine * np.triu(np.ones((m, m)), 1)
    triangle *= _powers(math.sqrt(1 - cosine**2), m)[:, None] * (1 - 1e-3 * np.arange(m) / m)
    mixing = rng.normal(size=(m, n_dependent))
    mixing /= 1.5 * np.abs(mixing).sum(axis=0)
    rows = np.block(
        [[triangle, _product(triangle, mixing)], [np.zeros((n_dependent, m)), left * np.eye(n_dependent)]],
    )
    phi = _product(rng.normal(size=(8, len(rows))), rows)
    return Problem(name=name, phi=phi, regularizer=1e-60, rows=rows)


def given_rows(name: str, rows: list[list[float]], regularizer: float, prior: Array | None = None) -> Problem:
    """Exactly representable rows, and random phi."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    matrix = np.array(rows, dtype=float)
    phi = rng.normal(size=(12, matrix.shape[1]))
    return Problem(name=name, phi=phi, regularizer=regularizer, rows=matrix, prior=prior)


def structured_problems() -> Iterator[Problem]:
    """Zeros and dependencies in the wrong places: what random dense rows never have."""
    for mu in MUS[1::2]:
        yield two_species(f"kernel two species N=6 mu={mu:g}", n=6, regularizer=mu)
        yield two_species(f"kernel two species N=16 heavy mu={mu:g}", n=16, regularizer=mu, heavy=1e8)
        line = np.linspace(0, 4, 16)
        laplacian = _exp(-np.abs(line[:, None] - line) / 4)
        rows = _exp(-np.abs(np.linspace(0.1, 3.9, 10)[:, None] - line) / 4)
        yield replace(given_rows(f"kernel Laplacian mu={mu:g}", rows.tolist(), mu, laplacian), phi=rows[:, ::-1].copy())
        yield given_rows(
            f"linear dependent first columns mu={mu:g}", [[1, 2, 0, 1, 3], [2, 4, 1, 0, 1], [3, 6, 1, 1, 1]], mu
        )
        composition = [[a + b, a, b] for a, b in ((8, 0), (4, 4), (6, 2), (32, 32))]
        yield given_rows(f"linear compositions mu={mu:g}", composition, mu)
    for left, number in ((1e-3, 0), (1e-3, 8), (1e-5, 3), (1e-5, 4)):  # those on which an inverse loses most, of 24
        yield kahan(f"linear Kahan {left:g}, {number}", m=60, n_dependent=4, cosine=0.3, left=left)
    for heavy in (1e3, 1e6, 1e8):
        rows = [[0, heavy, 2 * heavy, -heavy], [1, 1, 0, 2], [1, 0, 1, 1], [2, 1, 1, 0]]
        yield given_rows(f"linear one heavy row {heavy:g}", rows, 1e-3)
    yield given_rows("linear equal columns", [[1.0] * 8], 1e-6)
    steps = np.arange(30.0)[:, None]
    powers = (steps / 32) ** np.arange(6)
    difference = np.diff(np.eye(6), axis=0)
    for mu in (1.0, 1e-4):
        yield given_rows(f"kernel unpenalised intercept mu={mu:g}", powers.tolist(), mu, np.diag([0.0, 1, 1, 1, 1, 1]))
        yield given_rows(f"kernel graph Laplacian mu={mu:g}", powers.tolist(), mu, difference.T @ difference)


MUS = (1.0, 1e-2, 1e-4, 1e-6, 1e-8, 1e-10)

# zeta, noise and spectral decay of the features: they set the condition number of K_MM, given for M = 30.
KERNEL_SETTINGS = (
    (4, 0.3, 0.60),  # 1e3
    (2, 0.03, 0.50),  # 2e8
    (2, 0.3, 0.20),  # 1e10
    (1, 0.3, 0.50),  # 1e14
    (2, 0.1, 0.10),  # 4e14
    (1, 0.1, 0.45),  # 1e16
    (1, 0.05, 0.40),  # 1e17
    (1, 0.03, 0.40),  # 1e17
    (2, 0.01, 0.10),  # beyond 1e17
    (1, 0.2, 0.35),  # 1e17
    (1, 0.3, 0.30),  # beyond 1e17
    (1, 0.02, 0.35),  # beyond 1e17
    (1, 0.1, 0.20),  # beyond 1e17
)


def kernel_problems() -> Iterator[Problem]:
    """Sparse kernel models: condition numbers of K_MM from 1e3 to beyond 1e17."""
    for zeta, noise, decay in KERNEL_SETTINGS:
        for mu in MUS:
            for m, n in ((30, 20), (40, 100)):
                name = f"kernel zeta={zeta} noise={noise} decay={decay} mu={mu:g} M={m} N={n}"
                yield sparse_kernel(name, m=m, n=n, zeta=zeta, noise=noise, decay=decay, regularizer=mu)
    for mu in MUS:
        shape = {"m": 30, "n": 60, "zeta": 2, "noise": 0.3, "decay": 0.3}
        yield sparse_kernel(f"kernel weighted mu={mu:g}", weighted=True, regularizer=mu, **shape)
        yield sparse_kernel(f"kernel duplicated mu={mu:g}", duplicates=5, regularizer=mu, **shape)
        yield integer_rank_deficient(f"kernel rank-deficient mu={mu:g}", m=24, rank=16, n=40, regularizer=mu)


def nearly_redundant_problems() -> Iterator[Problem]:
    """Active points that K_MM tells from one another by little more than the rounding of its entries, or not at all."""
    for m in (2, 16, 60, 100):
        for distance in (0.2, 0.45, 1.0, 3.0, 10.0):
            rounded = 2.0**-53 * round(2 * distance * max(m, 16))
            yield clusters(f"kernel pair M={m} {distance:g}", m=m, distance=rounded, regularizer=1e-3)
    for sizes in ((2, 2, 2), (3,), (3, 2, 4)):
        for seen in (0.0, 1e-12, 1e-8):
            for mu in (1.0, 1e-6):
                name = f"kernel clusters {sizes} seen={seen:g} mu={mu:g}"
                yield clusters(name, m=24, distance=8 * 2.0**-52, regularizer=mu, sizes=sizes, seen=seen)
    for zeta in (1, 2, 3, 4):
        shape = {"m": 40, "n": 60, "zeta": zeta, "noise": 0.3, "decay": 0.8}
        for near in (3e-8, 1e-7, 1e-6):
            yield sparse_kernel(f"kernel zeta={zeta} near={near:g}", near=near, regularizer=1e-4, **shape)
        yield sparse_kernel(f"kernel zeta={zeta} duplicated", duplicates=7, regularizer=1e-4, **shape)
    for dimension, zeta in ((20, 1), (6, 2), (4, 3), (3, 4)):
        for mu in (1e-2, 1e-8):
            name = f"kernel rounded rank zeta={zeta} mu={mu:g}"
            yield rounded_rank(name, m=60, dimension=dimension, zeta=zeta, regularizer=mu)


def linear_problems() -> Iterator[Problem]:
    """Linear models of every shape, with and without spread row norms and weights."""
    for n, m in ((10, 40), (100, 30), (1, 20), (30, 1), (1, 1)):
        for mu in MUS[::3]:
            yield linear(f"linear N={n} D={m} mu={mu:g}", n=n, m=m, regularizer=mu, decay=0.6)
    for decay in (1.0, 0.3, 0.2):
        yield linear(f"linear N=4000 D=8 decay={decay}", n=4000, m=8, regularizer=1e-8, decay=decay)
    yield linear("linear N=20000 D=12", n=20000, m=12, regularizer=1e-8, decay=0.3)
    for mu in (1e-20, 1e-60, 1e-100):
        for decay in (0.6, 0.3):
            yield linear(f"linear N=100 D=20 decay={decay} mu={mu:g}", n=100, m=20, regularizer=mu, decay=decay)
        yield linear(f"linear rows and spectrum mu={mu:g}", n=60, m=20, regularizer=mu, decay=0.5, row_spread=8.0)
    for mu in MUS[::2]:
        yield linear(f"linear row norms over 1e12 mu={mu:g}", n=80, m=30, regularizer=mu, row_spread=12.0)
        yield linear(f"linear weights over 1e12 mu={mu:g}", n=80, m=30, regularizer=mu, weight_spread=12.0)
        yield linear(f"linear rows and spectrum mu={mu:g}", n=80, m=30, regularizer=mu, decay=0.5, row_spread=12.0)


def hessian_problems() -> Iterator[Problem]:
    """Dense Hessians, with a regularizer and without."""
    for condition in (1e2, 1e6, 1e10, 3e10, 1e11, 3e11, 1e12, 3e12, 1e13, 3e13, 1e14, 3e14, 1e15):
        for mu in (0.0, 1e-3, 1e-10):
            name = f"hessian cond={condition:g} mu={mu:g}"
            yield dense_hessian(name, m=30, condition=condition, regularizer=mu)


def all_problems() -> list[Problem]:
    """The whole suite, in a fixed order."""
    return [
        *kernel_problems(),
        *nearly_redundant_problems(),
        *linear_problems(),
        *structured_problems(),
        *hessian_problems(),
    ]
