"""Rigidity of forces: covariances of their components, and residuals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import _core
from ..._arrays import Array
from ..._errors import InvalidInputError
from ...models._scores import Columns
from .._describer import Ready
from .._pieces import Piece
from .._pipeline import Scores
from ..rows._gradient_rows import ROWS_TOGETHER, GradientBasis
from ..sums._sums import SumScoring
from ._force_residual import ForceResidual

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class ForceRigidity(Columns):
    """Rigidities and covariances of the forces on atoms: arrays of shape (n_atoms,), and 3 x 3 matrices.

    Attributes
    ----------
    frame, atom : numpy.ndarray of int
        Number of the frame, and of the atom within it, counted from 0.
    lpr, lpr_held : numpy.ndarray
        mu over the largest eigenvalue of `covariance`, and of `covariance_held`: the rigidity of the force along the
        direction that the training set determines least. Infinite for atoms without neighbours. `lpr_held` is None for
        models without held rows.
    variance : numpy.ndarray
        Largest eigenvalue of `covariance`, in units of the prior variance per Å^2.
    sigma : numpy.ndarray or None
        Standard deviation along that direction, in the unit of the energies per Å; of the sum of `covariance` and
        `residual_covariance` if the latter was requested. None if the prior variance is not known.
    residual : numpy.ndarray or None
        Largest residual of the environments that contribute to the force, from 0 to 1. Do not trust `variance` where it
        is large: the force depends on environments unlike the active set. None for linear models.
    covariance : numpy.ndarray, shape (n_atoms, 3, 3)
        Subset-of-regressors covariance, mu F H^-1 F^T with F the rows of the force, in units of the prior variance per
        Å^2.
    covariance_held : numpy.ndarray, shape (n_atoms, 3, 3), or None
        The same with the held rows of the model fixed.
    residual_covariance : numpy.ndarray, shape (n_atoms, 3, 3), or None
        Prior covariance of the force minus F K_MM^-1 F^T, the part that the active set explains, in the unit of
        `covariance`. The projected process adds it to `covariance`. None unless it was requested.
    prior_variance : float
        Factor from variances to squared energies; 0 if it is not known.
    """

    frame: Indices
    atom: Indices
    lpr: Array
    lpr_held: Array | None
    variance: Array
    sigma: Array | None
    residual: Array | None
    covariance: Array
    covariance_held: Array | None
    residual_covariance: Array | None
    prior_variance: float


@dataclass(frozen=True)
class ForceScoring:
    """Scoring of forces by a model.

    Attributes
    ----------
    sums : SumScoring
        Scores sums of local predictions, by the same factors.
    gradients : GradientBasis
        Computes rows of forces.
    scorer : SoapScorer
        Scores environments.
    exact : ForceResidual or None
        Computes the residual covariance, if it was requested.
    prior_variance : float
        Factor from variances to squared energies; 0 if it is not known.
    """

    sums: SumScoring
    gradients: GradientBasis
    scorer: _core.SoapScorer
    exact: ForceResidual | None
    prior_variance: float

    def of_piece(self, piece: Piece, n_threads: int, *, marks: bool) -> ForceRigidity:
        """Return the rigidities of the forces on the atoms of a piece; with `marks`, NaN near unknown species."""
        parts = [
            self._of_atoms(ready, atoms, n_threads, marks=marks)
            for ready in piece.batch
            for atoms in self._parts(ready, piece.rows)
        ]
        return self._scores(
            piece.frame, piece.atom, {name: _joined([part[name] for part in parts]) for name in parts[0]}
        )

    def with_forces(self, scores: Scores, piece: Piece, n_threads: int, *, marks: bool) -> Scores:
        """Return the scores of the atoms of a piece with those of the forces on them."""
        return _with_forces(scores, self.of_piece(piece, n_threads, marks=marks))

    def with_empty_forces(self, nothing: Scores) -> Scores:
        """Return empty scores with the columns of forces."""
        return _with_forces(nothing, self.empty())

    def empty(self) -> ForceRigidity:
        """Return an empty result, with the arrays that the model gives."""
        none = np.zeros((0, 3, 3))
        held = None if self.sums.core.factor.held() is None else none
        residual = None if self.sums.zeta is None else none[:, 0, 0]
        unseen = None if self.exact is None else none
        found = {"covariance": none, "covariance_held": held, "residual_covariance": unseen, "residual": residual}
        return self._scores(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), found)

    def _parts(self, ready: Ready, atoms: Indices | None) -> Iterator[Indices]:
        """Yield the atoms of a frame, as many at once as rows fit."""
        wanted = np.arange(len(ready)) if atoms is None else atoms
        step = max(1, ROWS_TOGETHER // (3 * self.sums.core.size))
        for first in range(0, len(wanted), step):
            yield wanted[first : first + step]

    def _of_atoms(self, ready: Ready, atoms: Indices, n_threads: int, *, marks: bool) -> dict[str, Array | None]:
        """Return covariances of the forces on some atoms, and largest residuals of contributing environments."""
        structure = ready.structure
        assert structure is not None  # SOAP has a cutoff
        around = [np.append(structure.neighbours(atom)[0], atom) for atom in atoms.tolist()]
        residual, seen_by_known = self._residuals(structure, around, n_threads, marks=marks)
        rows = self.gradients.rows(structure, n_threads, atoms=atoms, virials=False).forces
        found = self._covariances(rows, n_threads)
        found["residual_covariance"] = None
        if self.exact is not None:
            found["residual_covariance"] = self.exact.covariances(ready, atoms, around, rows, n_threads)
        for values in found.values():
            if values is not None:
                values[~seen_by_known] = np.nan
        return {**found, "residual": residual}

    def _residuals(
        self, structure: _core.Structure, around: list[Indices], n_threads: int, *, marks: bool
    ) -> tuple[Array | None, NDArray[np.bool_]]:
        """Return the largest residual within each list of atoms, and whether all atoms of the list are known."""
        seen, places = np.unique(np.concatenate(around), return_inverse=True)
        found = self.scorer.score([structure], [seen], marks, n_threads)
        first = np.cumsum([0, *map(len, around[:-1])])
        residual = None
        if "residual" in found:
            residual = np.maximum.reduceat(found["residual"][places], first)
        return residual, ~np.logical_or.reduceat(np.isnan(found["lpr"])[places], first)

    def _covariances(self, rows: Array, n_threads: int) -> dict[str, Array | None]:
        """Return 3 x 3 blocks, without and with held rows fixed."""
        factor, mu = self.sums.core.factor, self.sums.rigidity.regularizer
        held = None if factor.held() is None else mu * _blocks(factor.whitened_held(rows, n_threads))
        return {"covariance": mu * _blocks(factor.whitened(rows, n_threads)), "covariance_held": held}

    def _scores(self, frame: Indices, atom: Indices, found: Mapping[str, Array | None]) -> ForceRigidity:
        covariance, held, unseen = (found[name] for name in ("covariance", "covariance_held", "residual_covariance"))
        assert covariance is not None
        variance, mu = largest_eigenvalues(covariance), self.sums.rigidity.regularizer
        sigma = None
        if self.prior_variance > 0.0:
            whole = variance if unseen is None else largest_eigenvalues(covariance + unseen)
            sigma = np.sqrt(self.prior_variance * whole)
        return ForceRigidity(
            frame=frame,
            atom=atom,
            lpr=_over(mu, variance),
            lpr_held=None if held is None else _over(mu, largest_eigenvalues(held)),
            variance=variance,
            sigma=sigma,
            residual=found["residual"],
            covariance=covariance,
            covariance_held=held,
            residual_covariance=unseen,
            prior_variance=self.prior_variance,
        )


def force_scoring(
    sums: SumScoring,
    gradients: GradientBasis,
    scorer: _core.SoapScorer,
    prior_variance: float,
    *,
    exact_residual: bool,
) -> ForceScoring:
    """Return the scoring of forces.

    Raises
    ------
    InvalidInputError
        For the residual of linear models.
    """
    exact = None
    if exact_residual:
        if sums.zeta is None:
            raise InvalidInputError("exact_residual was given, but linear models have no residual; leave it out.")
        assert sums.rigidity._prior is not None
        exact = ForceResidual(gradients.soap, sums.rigidity._prior, sums.zeta)
    return ForceScoring(sums, gradients, scorer, exact, prior_variance)


def _with_forces(scores: Scores, forces: ForceRigidity) -> Scores:
    return replace(scores, force_variance=forces.variance, force_sigma=forces.sigma, force_residual=forces.residual)


def largest_eigenvalues(matrices: Array) -> Array:
    """Return the largest eigenvalues of positive semidefinite matrices, (n, 3, 3); NaN for matrices of NaN."""
    known = ~np.isnan(matrices).any(axis=(1, 2))
    found = np.full(len(matrices), np.nan)
    if known.any():
        found[known] = np.maximum(np.linalg.eigvalsh(matrices[known])[:, -1], 0.0)
    return found


def all_force_rigidities(parts: Sequence[ForceRigidity]) -> ForceRigidity:
    """Return all parts as one, in the order of frames and atoms."""
    order = np.lexsort([np.concatenate([getattr(part, name) for part in parts]) for name in ("atom", "frame")])
    arrays: dict[str, Any] = {}
    for name in (each.name for each in fields(ForceRigidity) if each.name != "prior_variance"):
        joined = _joined([getattr(part, name) for part in parts])
        arrays[name] = None if joined is None else joined[order]
    return ForceRigidity(**arrays, prior_variance=parts[0].prior_variance)


def _joined(parts: list[Array | None]) -> Array | None:
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if there else None


def _over(mu: float, variance: Array) -> Array:
    with np.errstate(divide="ignore"):
        found: Array = mu / variance
    return found


def _blocks(whitened: Array) -> Array:
    """Return the scalar products of each three rows, (n, 3, 3), as sums whose bits depend on these rows alone."""
    rows = whitened.reshape(-1, 3, whitened.shape[1])
    found = np.empty((len(rows), 3, 3))
    for a in range(3):
        for b in range(a + 1):
            found[:, a, b] = found[:, b, a] = (rows[:, a] * rows[:, b]).sum(axis=1)
    return found
