"""In what two models differ beside their training structures, and what that means for their rigidities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .._errors import InvalidInputError
from ..atoms._model import StructureModel
from ..atoms._sparse_kernel_model import SparseKernelModel
from ..models._scores import LOSS_NAMES


@dataclass(frozen=True)
class Differences:
    """The differences of two models.

    Attributes
    ----------
    same_descriptor, same_kernel, same_regularizer : bool
        Whether features, kind and power of the kernel, and mu are the same.
    same_active_set : bool or None
        Whether the active environments are the same; None if one of the models has none.
    regularizers : tuple of float
        mu of both.
    """

    same_descriptor: bool
    same_kernel: bool
    same_regularizer: bool
    same_active_set: bool | None
    regularizers: tuple[float, float]

    @property
    def are_none(self) -> bool:
        """Whether the models differ in their training structures only."""
        return self.same_descriptor and self.same_kernel and self.same_regularizer and self.same_active_set is not False

    def sentences(self) -> Iterator[str]:
        """Sentences about the differences and their meaning for the comparison."""
        if self.are_none:
            yield (
                "the models differ in their training sets only (same descriptor, kernel, active set, regularizer, loss)"
            )
            return
        if not self.same_descriptor:
            yield "the descriptors differ, so changes come from the descriptor too"
        if not self.same_kernel:
            yield "the kernels differ, so variances are in units of different priors"
        if not self.same_regularizer:
            first, second = self.regularizers
            yield f"the regularizers differ ({first:.3g}, {second:.3g}): a larger one makes all predictions more rigid"
        if self.same_active_set is False and self.same_descriptor:
            yield (
                "the active sets differ, which alone changes rigidities by some percent; fit the second model with the "
                "active set of the first (active_set=, --active-set) to see the effect of the training sets"
            )


def differences(a: StructureModel, b: StructureModel) -> Differences:
    """The differences of two models.

    Raises
    ------
    InvalidInputError
        For models of different losses, whose rigidities have different scales.
    """
    if a.loss != b.loss:
        raise InvalidInputError(
            f"the first model has a loss on {LOSS_NAMES[a.loss]}, the second on {LOSS_NAMES[b.loss]}, so their "
            "rigidities have different scales; fit both with the same loss."
        )
    return Differences(
        share_features(a, b),
        _kernel(a) == _kernel(b),
        a.regularizer == b.regularizer,
        _same_active_set(a, b),
        (a.regularizer, b.regularizer),
    )


def share_features(a: StructureModel, b: StructureModel) -> bool:
    """Whether both models have the same features."""
    return a.descriptor == b.descriptor and a.species == b.species and a._outside is b._outside


def _kernel(model: StructureModel) -> float | None:
    """Power of the kernel; None for linear models."""
    return model.zeta if isinstance(model, SparseKernelModel) else None


def _same_active_set(a: StructureModel, b: StructureModel) -> bool | None:
    if not isinstance(a, SparseKernelModel) or not isinstance(b, SparseKernelModel):
        return None
    first, second = a.active_features, b.active_features
    return first.keys() == second.keys() and all(np.array_equal(first[s], second[s]) for s in first)
