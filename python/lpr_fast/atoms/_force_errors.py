"""Errors of forces of labelled structures, with their covariances, and the residuals that say whether these count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .._arrays import Array
from .._errors import InvalidInputError
from ._derivative_labels import derivative_labels

if TYPE_CHECKING:
    from ase import Atoms

    from ._model import StructureModel

# Share of the training environments, of each species, whose residual is below the bound unless another is given.
_SEEN = 0.999


@dataclass(frozen=True)
class Forces:
    """Forces on the atoms of structures.

    Attributes
    ----------
    frame, atom : numpy.ndarray of int, shape (n,)
        Whose they are.
    forces : numpy.ndarray, shape (n, 3)
        What the model predicts.
    covariance : numpy.ndarray, shape (n, 3, 3)
        Of the subset of regressors, in units of the prior variance.
    residual : numpy.ndarray, shape (n,)
        Largest of the environments that the force depends on; zero for linear models.
    """

    frame: NDArray[np.int64]
    atom: NDArray[np.int64]
    forces: Array
    covariance: Array
    residual: Array

    @property
    def variances(self) -> Array:
        """Of the components, (n, 3)."""
        return np.ascontiguousarray(np.diagonal(self.covariance, axis1=1, axis2=2))

    @property
    def deviations(self) -> Array:
        """Root of the largest eigenvalue of each covariance, (n,)."""
        return np.sqrt(np.maximum(np.linalg.eigvalsh(self.covariance)[:, -1], 0.0)) if len(self.atom) else np.zeros(0)

    def taken(self, chosen: NDArray[np.bool_]) -> Forces:
        """Some of them."""
        return Forces(**{name: values[chosen] for name, values in vars(self).items()})

    @classmethod
    def joined(cls, parts: Iterable[Forces]) -> Forces:
        """All as one."""
        every = list(parts)
        empty = {"frame": (0,), "atom": (0,), "forces": (0, 3), "covariance": (0, 3, 3), "residual": (0,)}
        none = {name: np.zeros(s, dtype=np.int64 if name in ("frame", "atom") else float) for name, s in empty.items()}
        return cls(**{name: np.concatenate([none[name], *(getattr(p, name) for p in every)]) for name in none})


@dataclass(frozen=True)
class ForceErrors:
    """Predicted forces with labels, and what these differ by: (n, 3)."""

    forces: Forces
    errors: Array

    def ratios(self, prior_variance: float) -> Array:
        """Lengths of the errors over the largest standard deviations of the forces."""
        lengths = np.sqrt((self.errors**2).sum(axis=1))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = lengths / (np.sqrt(prior_variance) * self.forces.deviations)
        found: Array = np.where(lengths == 0.0, 0.0, ratios)
        return found

    def within(self, bound: float | None) -> ForceErrors:
        """Those that rest on no environment of a larger residual."""
        if bound is None:
            return self
        chosen: NDArray[np.bool_] = np.asarray(self.forces.residual <= bound)
        return ForceErrors(self.forces.taken(chosen), self.errors[chosen])


def forces_of(model: StructureModel, frame: Atoms, number: int, n_threads: int) -> Forces:
    """Forces on all atoms of a frame."""
    weights = model.rigidity.weights
    assert weights is not None
    rows = model.gradient_rows(frame, n_threads=n_threads).forces
    whitened = model.rigidity._factor.whitened(rows, n_threads).reshape(len(frame), 3, -1)
    covariance = model.regularizer * np.einsum("nir,njr->nij", whitened, whitened)
    forces = (rows * weights).sum(axis=1).reshape(-1, 3)
    atoms = np.arange(len(frame))
    return Forces(np.full(len(frame), number), atoms, forces, covariance, _residuals(model, frame, n_threads))


def force_errors(model: StructureModel, frames: Iterable[Atoms], force_key: str | None, n_threads: int) -> ForceErrors:
    """Of the atoms of frames that have labels; frames without forces are passed by."""
    parts = list(_labelled(model, frames, force_key, n_threads))
    errors = [np.zeros((0, 3)), *(part.errors for part in parts)]
    return ForceErrors(Forces.joined(part.forces for part in parts), np.concatenate(errors))


def _labelled(
    model: StructureModel, frames: Iterable[Atoms], force_key: str | None, n_threads: int
) -> Iterator[ForceErrors]:
    for number, frame in enumerate(frames):
        labels = derivative_labels(frame, force_key, None, f"frame {number}").forces
        if labels is None:
            continue
        found = forces_of(model, frame, number, n_threads)
        known = ~np.isnan(labels).any(axis=1)
        yield ForceErrors(found.taken(known), (found.forces - labels)[known])


def largest_residual_of(model: StructureModel, given: float | None) -> float | None:
    """The bound that was given, or that of the training environments; None for linear models.

    Raises
    ------
    InvalidInputError
        For bounds that mean nothing, and models that know of no training environments.
    """
    if not model.pipeline.are_normalised:
        if given is not None:
            raise InvalidInputError("linear models have no residual; leave the bound (largest_residual) out.")
        return None
    if given is not None:
        if not 0.0 < given <= 1.0:
            raise InvalidInputError(f"largest_residual is {given:g}; it must be above 0 and at most 1.")
        return given
    if not model.has_reference:
        raise InvalidInputError(
            "this model does not know the residuals of its training environments; give the bound for forces "
            "(largest_residual), or score the training set with with_reference."
        )
    return max(model.training_quantile("residual", _SEEN, s) for s in model.species)


def _residuals(model: StructureModel, frame: Atoms, n_threads: int) -> Array:
    """The largest residual among each atom and those within the cutoff."""
    own = model.score(frame, n_threads=n_threads).residual
    if own is None:
        return np.zeros(len(frame))
    structure = model.pipeline.describing.ready(frame, "the structure").structure
    assert structure is not None  # SOAP has a cutoff
    neighbours = (structure.neighbours(atom)[0] for atom in range(len(frame)))
    return np.array([max(own[atom], own[near].max(initial=0.0)) for atom, near in enumerate(neighbours)])
