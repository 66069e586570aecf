"""Errors of predicted forces of labelled structures, with their variances and residuals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..._arrays import Array, as_number
from ..._errors import InvalidInputError
from ..labels._derivative_labels import derivative_labels

if TYPE_CHECKING:
    from ase import Atoms

    from .._model import StructureModel

Indices = NDArray[np.int64]

# Share of the training environments of each species whose residual is below the default bound.
_SHARE_BELOW_BOUND = 0.999


@dataclass(frozen=True)
class ForceErrors:
    """Predicted forces minus labels.

    Attributes
    ----------
    frame : numpy.ndarray of int, shape (n,)
        Number of the structure.
    errors : numpy.ndarray, shape (n, 3)
        The differences.
    variances : numpy.ndarray, shape (n, 3)
        Subset-of-regressors variances of the components, in units of the prior variance per Å^2.
    largest : numpy.ndarray, shape (n,)
        Variance along the direction in which it is largest.
    residual : numpy.ndarray, shape (n,), or None
        Largest residual of the environments that the force depends on; None for linear models.
    """

    frame: Indices
    errors: Array
    variances: Array
    largest: Array
    residual: Array | None

    def ratios(self, prior_variance: float) -> Array:
        """Return the lengths of the errors over the largest standard deviations of the forces."""
        lengths = np.sqrt((self.errors**2).sum(axis=1))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = lengths / np.sqrt(prior_variance * self.largest)
        found: Array = np.where(lengths == 0.0, 0.0, ratios)
        return found

    def within(self, bound: float | None) -> ForceErrors:
        """Return the errors of forces whose residual is at most the bound."""
        if bound is None or self.residual is None:
            return self
        return self.select(np.asarray(self.residual <= bound))

    def select(self, chosen: NDArray[np.bool_]) -> ForceErrors:
        """Return the chosen errors."""
        residual = None if self.residual is None else self.residual[chosen]
        errors, variances, largest = self.errors[chosen], self.variances[chosen], self.largest[chosen]
        return ForceErrors(self.frame[chosen], errors, variances, largest, residual)


def force_errors(model: StructureModel, frames: Sequence[Atoms], force_key: str | None, n_threads: int) -> ForceErrors:
    """Return the errors for atoms with labels, by default of the name of the fit; frames without labels are ignored."""
    key = force_key or model.provenance.get("force_key")
    labels = [derivative_labels(frame, key, None, f"frame {n}").forces for n, frame in enumerate(frames)]
    there = [number for number, of_frame in enumerate(labels) if of_frame is not None]
    chosen = [frames[number] for number in there]
    found = model.force_rigidity(chosen, n_threads=n_threads)
    wanted = np.concatenate([np.zeros((0, 3)), *(of_frame for of_frame in labels if of_frame is not None)])
    errors = ForceErrors(
        np.array(there, dtype=np.int64)[found.frame],
        predicted_forces(model, chosen, n_threads) - wanted,
        np.ascontiguousarray(np.diagonal(found.covariance, axis1=1, axis2=2)),
        found.variance,
        found.residual,
    )
    return errors.select(~np.isnan(wanted).any(axis=1))


def predicted_forces(model: StructureModel, frames: Iterable[Atoms], n_threads: int) -> Array:
    """Return the predicted forces on the atoms of all frames, (n, 3)."""
    scorer = model.pipeline.scorer
    assert scorer is not None  # only descriptors of the core have derivatives
    forces = (scorer.predict(model._one_structure(frame), None, n_threads)["forces"][0] for frame in frames)
    return np.concatenate([np.zeros((0, 3)), *forces])


def largest_residual_of(model: StructureModel, given: float | None) -> float | None:
    """Return the given bound, or that of the training environments; None for linear models.

    Raises
    ------
    InvalidInputError
        For bounds out of range, and for the default bound of a model without a reference.
    """
    if not model.pipeline.are_normalised:
        if given is not None:
            raise InvalidInputError("largest_residual was given, but linear models have no residual; leave it out.")
        return None
    if given is not None:
        bound = as_number("largest_residual", given)
        if not 0.0 < bound <= 1.0:
            raise InvalidInputError(f"largest_residual is {bound:g}; it must be above 0 and at most 1.")
        return bound
    if not model.has_reference:
        raise InvalidInputError(
            "this model has no residuals of its training environments; give the bound for forces (largest_residual), "
            "or score the training set with with_reference."
        )
    return max(model.training_quantile("residual", _SHARE_BELOW_BOUND, s) for s in model.species)
