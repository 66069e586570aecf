"""Hessians of few rows and many columns, factorised within the span of the rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from . import _core
from ._arrays import Array, refuse_unusable
from ._errors import InvalidInputError
from ._factors import Parts, factor_from, parts_of, widened
from ._orthonormal import Basis, norms, row_products, row_slices

# Rows are few if there are at least so many times more columns that are not zero.
_FEW = 4


def is_thin(rows: Array) -> bool:
    """Return whether rows are so few that H is better factorised within their span.

    Columns of zeros do not count: if the span were the whole space of the others, remainders would be rounding.
    """
    return bool(_FEW * len(rows) <= np.count_nonzero(rows.any(axis=0)))


@dataclass(frozen=True, eq=False)
class ThinFactor:
    r"""H = mu I + sum_A w_A X_A X_A^T in an orthonormal basis Q of the span of the rows.

    With phi = Q^T q + p and p orthogonal to the span,

    .. math::
        \phi^T H^{-1} \phi = |R^{-T} q|^2 + |p|^2 / \mu,

    where R is the triangular factor of H within the span. p is computed as a vector, so that no digits cancel. A factor
    of the core, of size 1 + d, takes (\|p\|, q); its first column stands for p. The methods are those of the core's
    factors.

    Attributes
    ----------
    basis : Basis
        Q.
    places : numpy.ndarray, shape (r, 1 + d)
        Coordinates in the basis times this matrix are the coordinates that `reduced` takes.
    reduced : _core.HessianFactor
        The factor within the span.
    regularizer : float
        mu.
    """

    basis: Basis
    places: Array
    reduced: _core.HessianFactor
    regularizer: float
    _origin: ThinFactor | None = None
    _added: tuple[Array, Array] | None = None
    _held: ThinFactor | None = None

    @classmethod
    def fit(
        cls, rows: Array, weights: Array | None, targets: Array | None, regularizer: float, n_threads: int
    ) -> tuple[ThinFactor, Array | None]:
        """Return the factor of checked rows and, with targets, the weights of the model."""
        basis, coordinates = Basis.of(np.zeros((0, rows.shape[1]))).extended(rows, n_threads)
        accumulator = _core.HessianAccumulator(1 + len(basis), "qr", targets is not None)
        accumulator.add(np.hstack([np.zeros((len(rows), 1)), coordinates]), targets, weights, n_threads)
        reduced, inside = _core.fit(accumulator, regularizer, None, n_threads)
        factor = cls(basis, np.eye(len(basis), 1 + len(basis), 1), reduced, regularizer)
        return factor, None if targets is None else (inside[1:, None] * basis.rows).sum(axis=0)

    @property
    def size(self) -> int:
        """See `Rigidity`."""
        return int(self.basis.rows.shape[1])

    @property
    def columns(self) -> list[int]:
        """All columns."""
        return list(range(self.size))

    @property
    def n_dropped(self) -> int:
        """Zero: no column is dropped."""
        return 0

    @property
    def condition_number(self) -> float:
        """See `Rigidity`."""
        return self.reduced.condition_number

    @property
    def error_estimate(self) -> float:
        """See `Rigidity`."""
        return self.reduced.error_estimate

    def _checked(self, name: str, phi: Array) -> Array:
        if phi.shape[1] != self.size:
            raise InvalidInputError(
                f"{name} has {phi.shape[1]} columns, expected {self.size}, one for each weight of the model."
            )
        refuse_unusable(name, phi)
        return phi

    def _check_columns(self, columns: list[int]) -> None:
        if not columns:
            raise InvalidInputError("the list of columns is empty; give at least one.")
        wrong = [column for column in columns if not 0 <= column < self.size]
        if wrong:
            raise InvalidInputError(f"column {wrong[0]} does not exist; columns must be in [0, {self.size}).")
        twice = [column for i, column in enumerate(columns) if column in columns[:i]]
        if twice:
            raise InvalidInputError(f"column {twice[0]} is given twice; give each column once.")

    def _within(self, inside: Array, n_threads: int) -> Array:
        """Return the coordinates that `reduced` takes, from coordinates in the basis."""
        return row_products(inside, self.places.T, n_threads)

    def _coordinates(self, phi: Array, n_threads: int) -> Array:
        """Return (|p|, q) of rows of phi."""
        result = np.empty((len(phi), self.reduced.size))
        for part in row_slices(len(phi), self.size):
            inside, left = self.basis.split(phi[part], n_threads)
            result[part] = self._within(inside, n_threads)
            result[part, 0] = norms(left)
        return result

    def lpr(self, phi: Array, n_threads: int) -> Array:
        """See `Rigidity`."""
        return self.reduced.lpr(self._coordinates(self._checked("phi", phi), n_threads), n_threads)

    def lpr_held(self, phi: Array, n_threads: int) -> Array:
        """See `Rigidity`."""
        holder = self._held or self
        return holder.reduced.lpr_held(holder._coordinates(self._checked("phi", phi), n_threads), n_threads)

    def variance(self, phi: Array, scale: float, n_threads: int) -> Array:
        """See `Rigidity`."""
        return self.reduced.variance(self._coordinates(self._checked("phi", phi), n_threads), scale, n_threads)

    def covariance(self, phi_a: Array, phi_b: Array, scale: float, n_threads: int) -> Array:
        """See `Rigidity`: the covariance within the span, and products of the remainders p."""
        inside_a, left_a = self.basis.split(self._checked("phi_a", phi_a), n_threads)
        inside_b, left_b = self.basis.split(self._checked("phi_b", phi_b), n_threads)
        a, b = self._within(inside_a, n_threads), self._within(inside_b, n_threads)
        within = self.reduced.covariance(a, b, scale, n_threads)
        if not len(left_b):
            return within
        return within + scale / self.regularizer * row_products(left_a, left_b, n_threads)

    @property
    def holds(self) -> bool:
        """Whether rows are held."""
        return self._held is not None

    def whitened(self, phi: Array, n_threads: int) -> Array:
        """Return rows z with |z|^2 = phi^T H^-1 phi: those within the span, followed by p / mu^1/2."""
        inside, left = self.basis.split(self._checked("phi", phi), n_threads)
        within = self.reduced.whitened(self._within(inside, n_threads), n_threads)
        return np.hstack([within, left / np.sqrt(self.regularizer)])

    def whitened_held(self, phi: Array, n_threads: int) -> Array:
        """Return the same orthogonal to the held directions; these lie in the span of the factor that holds them."""
        holder = self._held or self
        inside, left = holder.basis.split(self._checked("phi", phi), n_threads)
        within = holder.reduced.whitened_held(holder._within(inside, n_threads), n_threads)
        return np.hstack([within, left / np.sqrt(self.regularizer)])

    def holding(self, rows: Array) -> ThinFactor:
        """See `Rigidity`: a second factor spans the held rows too, so that other results keep their bits."""
        wider, coordinates = replace(self, _origin=None, _added=None)._spanning(self._checked("the held rows", rows), 0)
        return replace(self, _held=replace(wider, reduced=wider.reduced.holding(coordinates), _held=None))

    def updated(self, rows: Array, weights: Array | None, n_threads: int) -> ThinFactor:
        """See `Rigidity`: always from the factor before the first update, so that several have the bits of one."""
        _core.HessianAccumulator(self.size, "qr", labelled=False).add(rows, None, weights, n_threads)  # checks them
        origin = self._origin or self
        held = None if self._held is None else self._held.updated(rows, weights, n_threads)
        given = np.ones(len(rows)) if weights is None else weights
        if self._added is not None:
            rows, given = np.vstack([self._added[0], rows]), np.concatenate([self._added[1], given])
        wider, coordinates = origin._spanning(rows, n_threads)
        reduced = wider.reduced.updated(coordinates, given, n_threads)
        return replace(wider, reduced=reduced, _origin=origin, _added=(rows, given), _held=held)

    def restrict_to(self, columns: list[int], n_threads: int) -> ThinFactor:
        """See `Rigidity`: the new basis spans the chosen columns of this one."""
        self._check_columns(columns)
        nothing = Basis.of(np.zeros((0, len(columns))))
        inner, _ = nothing.extended(np.ascontiguousarray(self.basis.rows[:, columns]), n_threads)
        scattered = np.zeros((len(inner), self.size))
        scattered[:, columns] = inner.rows
        wider, places = self._spanning(scattered, n_threads)
        held = None if self._held is None else self._held.restrict_to(columns, n_threads)
        return ThinFactor(inner, places, wider.reduced, self.regularizer, _held=held)

    def _spanning(self, rows: Array, n_threads: int) -> tuple[ThinFactor, Array]:
        """Return the same factor with a basis that spans the rows too, and the rows as `reduced` takes them."""
        basis, inside = self.basis.extended(rows, n_threads)
        n_new = len(basis) - len(self.basis)
        places = np.zeros((len(basis), self.reduced.size + n_new))
        places[: len(self.basis), : self.reduced.size] = self.places
        places[len(self.basis) :, self.reduced.size :] = np.eye(n_new)
        wider = replace(self, basis=basis, places=places, reduced=widened(self.reduced, n_new, self.regularizer))
        return wider, wider._within(inside, n_threads)

    def hessian(self) -> Array:
        """Return H as a dense array, (M, M)."""
        whitened = np.linalg.solve(self.reduced.triangle().T, self.places.T[np.asarray(self.reduced.columns)])
        root = np.linalg.inv(np.linalg.qr(whitened, mode="r")).T @ self.basis.rows
        return root.T @ root + self.regularizer * (np.eye(self.size) - self.basis.columns @ self.basis.rows)

    def __reduce__(self) -> tuple[object, ...]:
        return _from_parts, (self.basis.rows, self.places, parts_of(self.reduced), self.regularizer, self._held)


def _from_parts(rows: Array, places: Array, reduced: Parts, regularizer: float, held: ThinFactor | None) -> ThinFactor:
    return ThinFactor(Basis.of(rows), places, factor_from(reduced), regularizer, _held=held)
