"""The loss that a network was trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from .._arrays import as_number
from .._errors import InvalidInputError
from ..models._scores import Loss
from ..models._structures import checked_loss

Reduction = Literal["sum", "mean"]


@dataclass(frozen=True, kw_only=True)
class SquaredLoss:
    r"""A loss of squared residuals, as in the training of the network.

    .. math::
        f \sum_A w_A (y_A - Y_A)^2 + \lambda |c|^2 + \tfrac{1}{2} \delta |c|^2

    with Y_A the sum of the network's local predictions, c its weights that are not frozen, and, for
    ``reduction="mean"``, a mean over the structures in place of the sum. Divided by the factor of the squares it is
    ``sum_A w_A (y_A - Y_A)^2 + mu |c|^2``, the loss of a `Rigidity`.

    Attributes
    ----------
    residuals : {"total", "per_atom"}
        Residuals of totals, or of totals divided by the number of atoms.
    reduction : {"sum", "mean"}
        Sum or mean over the structures. A sum over mini-batches of n of N structures, with the whole L2 term in every
        step, counts that term N / n times: give ``factor = n / N``. A mean over mini-batches is a mean over all.
    factor : float
        f > 0: 1/2 for half the squares.
    penalty : float
        lambda >= 0 of an L2 term ``lambda |c|^2``.
    weight_decay : float
        delta >= 0 of ``torch.optim``: the optimiser adds delta c to the gradient (not that of AdamW, which corresponds
        to no loss).

    Raises
    ------
    InvalidInputError
        For unknown options, and for numbers out of range.
    """

    residuals: Loss = "total"
    reduction: Reduction = "sum"
    factor: float = 1.0
    penalty: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        """Check the options."""
        checked_loss(self.residuals)
        if self.reduction not in ("sum", "mean"):
            raise InvalidInputError(f"reduction is {self.reduction!r}; it must be 'sum' or 'mean'.")
        if not 0.0 < as_number("factor", self.factor) < math.inf:
            raise InvalidInputError(f"factor is {self.factor}; it must be finite and positive.")
        for name in ("penalty", "weight_decay"):
            if not 0.0 <= as_number(name, getattr(self, name)) < math.inf:
                raise InvalidInputError(f"{name} is {getattr(self, name)}; it must be finite and not negative.")

    def regularizer(self, n_structures: int) -> float:
        """Return mu of the same loss, divided by the factor of the squares.

        Parameters
        ----------
        n_structures : int
            N, the number of training structures.

        Returns
        -------
        float
        """
        before_squares = self.factor / (n_structures if self.reduction == "mean" else 1)
        return (self.penalty + 0.5 * self.weight_decay) / before_squares
