"""Training of small networks to a minimum."""

from __future__ import annotations

import math
import warnings

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from .._arrays import as_count, as_number
from .._errors import InvalidInputError, LprWarning
from .._words import counted
from ._loss import SquaredLoss
from ._network import Modules, Network
from ._training_data import TrainingData, training_data

# The first damping, relative to the largest curvature.
_FIRST_DAMPING = 1e-3

# Smaller gains, relative to the loss, are rounding.
_NOTHING = 1e-15


def train(
    module: Modules,
    X: ArrayLike,
    structure: ArrayLike,
    energies: ArrayLike,
    *,
    loss: SquaredLoss,
    species: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    tolerance: float = 1e-6,
    max_steps: int = 500,
) -> Modules:
    """Train a small network to a minimum of its loss by the Levenberg-Marquardt method.

    The rows of the network, (N, M) for N structures and M weights, must fit in memory. Rigidities depend strongly on
    where a training stops; this one stops at a minimum.

    Parameters
    ----------
    module, X, structure, energies, loss, species, weights
        As for `network_rigidity`; the loss must have an L2 term.
    tolerance : float
        The training ends when `Convergence.gain` is at most this.
    max_steps : int
        Largest number of steps. The training ends with an `LprWarning` then, and if no step lowers the loss, as at the
        kinks of ``ReLU``.

    Returns
    -------
    torch.nn.Module, or dict of them
        A trained copy in float64; the given module does not change.

    Raises
    ------
    InvalidInputError
        As for `network_rigidity`, and for a loss that is not finite.
    """
    smallest, most = as_number("tolerance", tolerance), as_count("max_steps", max_steps)
    network = Network(module)
    data = training_data(network, X, structure, energies, species=species, weights=weights, loss=loss)
    data.refuse_no_penalty()
    value, damping, growth, n_steps = data.loss_of(network), 0.0, 2.0, 0
    if not math.isfinite(value):
        raise InvalidInputError(
            f"the loss is {value} at the weights of the module; give smaller energies or other weights."
        )
    linear = _Linear(network, data)
    while linear.gain > max(smallest, _NOTHING) * value:
        if n_steps >= most:
            _warn(f"ended after {counted(most, 'step')}", linear.gain / value, "more steps, or ")
            break
        n_steps += 1
        damping = damping or _FIRST_DAMPING * linear.largest_curvature
        step = linear.step(damping)
        promised = linear.promised(step, damping)
        other = network.with_weights(network.weights + step)
        gained = value - data.loss_of(other)
        if gained > 0.0:
            network, value = other, value - gained
            linear = _Linear(network, data)
            damping, growth = damping * max(1 / 3, 1 - (2 * gained / promised - 1) ** 3), 2.0
        elif promised > _NOTHING * value:
            damping, growth = damping * growth, 2.0 * growth
        else:
            _warn("ended where no step lowers the loss", linear.gain / value, "a module without kinks (ReLU), or ")
            break
    return network.modules


def _warn(how: str, gain: float, other: str) -> None:
    warnings.warn(
        f"the training {how}, but could still lower the loss by a share of {gain:.2g}; give {other}a larger penalty.",
        LprWarning,
        stacklevel=3,
    )


class _Linear:
    """The linear model of a network, b - A step, with rows and residuals times the roots of the weights."""

    def __init__(self, network: Network, data: TrainingData) -> None:
        roots = torch.from_numpy(data.weights).sqrt()
        self._rows = torch.cat(list(network.structure_rows(data.structures))) * roots[:, None]
        self._residuals = data.residuals(network) * roots
        self._c, self._mu = network.weights, data.regularizer
        self._is_wide = self._rows.shape[0] <= self._rows.shape[1]
        self._products = self._rows @ self._rows.T if self._is_wide else self._rows.T @ self._rows
        self._gradient = self._mu * self._c - self._residuals @ self._rows

    @property
    def largest_curvature(self) -> float:
        """Upper bound of the largest eigenvalue of the products of rows."""
        return float(torch.linalg.matrix_norm(self._products))

    @property
    def gain(self) -> float:
        """Difference of the loss of the linear model from its minimum."""
        return self.promised(self.step(0.0), 0.0)

    def step(self, damping: float) -> Tensor:
        """Return the minimum of |b - A step|^2 + mu |c + step|^2 + damping |step|^2."""
        nu = self._mu + damping
        unit = torch.eye(len(self._products), dtype=torch.float64)
        factor, failed_at = torch.linalg.cholesky_ex(self._products + nu * unit)
        if failed_at:
            raise InvalidInputError(
                f"the L2 term of the loss, mu = {self._mu:.3g}, is below the rounding of the squares; give a larger "
                "penalty."
            )
        if not self._is_wide:
            return torch.cholesky_solve(-self._gradient[:, None], factor)[:, 0]
        share = self._mu / nu
        targets = self._residuals + share * (self._rows @ self._c)
        return torch.cholesky_solve(targets[:, None], factor)[:, 0] @ self._rows - share * self._c

    def promised(self, step: Tensor, damping: float) -> float:
        """Return by how much a step lowers the loss of the linear model."""
        return float(damping * (step @ step) - self._gradient @ step)
