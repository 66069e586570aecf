"""What models say of the forces on atoms: covariances of their components, and what the active set does not see."""

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
from .._describing import Ready
from .._pieces import Piece
from .._pipeline import Scores
from ..rows._gradient_rows import ROWS_TOGETHER, GradientBasis
from ..sums._sums import SumScoring
from ._force_residual import ForceResidual

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class ForceRigidity(Columns):
    """What a model says of the forces on atoms: arrays of shape (n_atoms,), and matrices of three components.

    Attributes
    ----------
    frame, atom : numpy.ndarray of int
        Number of the frame, and of the atom within it, counted from 0.
    lpr, lpr_held : numpy.ndarray
        mu over the largest eigenvalue of `covariance`, and of `covariance_held`: rigidity of the force along the
        direction that the training data pin down least. Infinite for atoms that nobody sees. The second is None for
        models that hold nothing.
    variance : numpy.ndarray
        Largest eigenvalue of `covariance`, in units of the prior variance per Å^2.
    sigma : numpy.ndarray or None
        Standard deviation along that direction, in the unit of the energies per Å; of `covariance` and
        `residual_covariance` together, if that was asked for. None where the prior variance is not known.
    residual : numpy.ndarray or None
        Largest residual of the environments that contribute to the force, from 0 to 1: where it is large, the active
        set does not see what the force depends on, and `variance` is blind. None for linear models.
    covariance : numpy.ndarray, shape (n_atoms, 3, 3)
        mu F H^-1 F^T with F the rows of the force, in units of the prior variance per Å^2: of the subset of regressors.
    covariance_held : numpy.ndarray, shape (n_atoms, 3, 3), or None
        The same with what the model holds held fixed.
    residual_covariance : numpy.ndarray, shape (n_atoms, 3, 3), or None
        Covariance of the force under the prior, less what the active set sees of it, F K_MM^-1 F^T; in the unit of
        `covariance`, and what the projected process adds to it. None unless it was asked for.
    prior_variance : float
        What makes squared energies of variances; 0 where it is not known.
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
    """A model, and what makes rows of forces for it.

    Attributes
    ----------
    sums : SumScoring
        What scores sums of local predictions, by the same factors.
    gradients : GradientBasis
        What makes rows.
    scorer : SoapScorer
        What scores environments.
    exact : ForceResidual or None
        What adds the covariance of the residual, if that is wanted.
    prior_variance : float
        Squared energies for a variance of 1; 0 where nobody knows.
    """

    sums: SumScoring
    gradients: GradientBasis
    scorer: _core.SoapScorer
    exact: ForceResidual | None
    prior_variance: float

    def of_piece(self, piece: Piece, n_threads: int, *, marks: bool) -> ForceRigidity:
        """Forces on the atoms of a piece, in its order; with `marks`, NaN where species that are not known are seen."""
        parts = [
            self._of_atoms(ready, atoms, n_threads, marks=marks)
            for ready in piece.batch
            for atoms in self._parts(ready, piece.rows)
        ]
        return self._scores(
            piece.frame, piece.atom, {name: _joined([part[name] for part in parts]) for name in parts[0]}
        )

    def with_forces(self, scores: Scores, piece: Piece, n_threads: int, *, marks: bool) -> Scores:
        """Scores of the atoms of a piece, and of the forces on them."""
        return _with_forces(scores, self.of_piece(piece, n_threads, marks=marks))

    def with_no_forces(self, nothing: Scores) -> Scores:
        """Scores of no atoms, with the columns that the model gives of forces."""
        return _with_forces(nothing, self.of_nothing())

    def of_nothing(self) -> ForceRigidity:
        """Empty arrays, for what the model gives."""
        none = np.zeros((0, 3, 3))
        held = None if self.sums.core.factor.held() is None else none
        residual = None if self.sums.zeta is None else none[:, 0, 0]
        unseen = None if self.exact is None else none
        found = {"covariance": none, "covariance_held": held, "residual_covariance": unseen, "residual": residual}
        return self._scores(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), found)

    def _parts(self, ready: Ready, atoms: Indices | None) -> Iterator[Indices]:
        """Atoms of a frame, so many together as rows fit."""
        wanted = np.arange(len(ready)) if atoms is None else atoms
        step = max(1, ROWS_TOGETHER // (3 * self.sums.core.size))
        for first in range(0, len(wanted), step):
            yield wanted[first : first + step]

    def _of_atoms(self, ready: Ready, atoms: Indices, n_threads: int, *, marks: bool) -> dict[str, Array | None]:
        """Covariances, and the largest residual of what contributes to them."""
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
        """Largest residual among some atoms, for several lists of these, and whether all of them are known."""
        seen, places = np.unique(np.concatenate(around), return_inverse=True)
        found = self.scorer.score([structure], [seen], marks, n_threads)
        first = np.cumsum([0, *map(len, around[:-1])])
        residual = None
        if "residual" in found:
            residual = np.maximum.reduceat(found["residual"][places], first)
        return residual, ~np.logical_or.reduceat(np.isnan(found["lpr"])[places], first)

    def _covariances(self, rows: Array, n_threads: int) -> dict[str, Array | None]:
        """3 x 3 blocks, plain and with what is held held."""
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
    """What scores forces.

    Raises
    ------
    InvalidInputError
        For the residual of linear models.
    """
    exact = None
    if exact_residual:
        if sums.zeta is None:
            raise InvalidInputError("linear models have no residual; leave exact_residual out.")
        assert sums.rigidity._prior is not None
        exact = ForceResidual(gradients.soap, sums.rigidity._prior, sums.zeta)
    return ForceScoring(sums, gradients, scorer, exact, prior_variance)


def _with_forces(scores: Scores, forces: ForceRigidity) -> Scores:
    return replace(scores, force_variance=forces.variance, force_sigma=forces.sigma, force_residual=forces.residual)


def largest_eigenvalues(matrices: Array) -> Array:
    """Of symmetric matrices, (n, 3, 3), that are not negative; NaN for those of NaN."""
    known = ~np.isnan(matrices).any(axis=(1, 2))
    found = np.full(len(matrices), np.nan)
    if known.any():
        found[known] = np.maximum(np.linalg.eigvalsh(matrices[known])[:, -1], 0.0)
    return found


def all_force_rigidities(parts: Sequence[ForceRigidity]) -> ForceRigidity:
    """All as one, frame by frame in the order of the atoms."""
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
    """Products of three rows each with one another, (n, 3, 3): sums over one row, whose bits depend on no others."""
    rows = whitened.reshape(-1, 3, whitened.shape[1])
    found = np.empty((len(rows), 3, 3))
    for a in range(3):
        for b in range(a + 1):
            found[:, a, b] = found[:, b, a] = (rows[:, a] * rows[:, b]).sum(axis=1)
    return found
