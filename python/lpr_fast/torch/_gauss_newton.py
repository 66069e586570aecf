"""The linear model of a network near its weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .._accumulator import HessianAccumulator
from .._rigidity import Rigidity
from ._network import Network
from ._training_data import TrainingData


@dataclass(frozen=True)
class GaussNewton:
    """Rigidity for the Gauss-Newton Hessian, and half the gradient of the loss.

    Attributes
    ----------
    rigidity : Rigidity
        With energies, its weights minimise the loss of the linear model.
    gradient : torch.Tensor, shape (M,), or None
        mu c - sum_A w_A (y_A - Y_A) X_A; None without energies.
    size_of_parts : float
        ``sqrt(sum_A |w_A (y_A - Y_A) X_A|^2) + mu |c|``: norm of the gradient if its parts were uncorrelated.
    """

    rigidity: Rigidity
    gradient: Tensor | None
    size_of_parts: float


def gauss_newton(network: Network, data: TrainingData, n_threads: int) -> GaussNewton:
    """Return rigidity and gradient from the rows of all structures.

    Fewer rows than weights are kept; otherwise they are accumulated.
    """
    data.refuse_no_penalty()
    is_labelled = data.targets is not None
    keeps_rows = len(data.structures) < network.size
    accumulator = HessianAccumulator(network.size, labelled=is_labelled)
    kept_rows: list[Tensor] = []
    kept_targets: list[Tensor] = []
    c = network.weights
    gradient, squares, first = data.regularizer * c, 0.0, 0
    for rows, targets in data.linearised(network):
        weights = data.weights[first : first + len(rows)]
        first += len(rows)
        if targets is not None:
            errors = torch.from_numpy(weights) * (targets - rows @ c)
            gradient -= errors @ rows
            squares += float((errors**2 * (rows**2).sum(dim=1)).sum())
            kept_targets.append(targets)
        if keeps_rows:
            kept_rows.append(rows)
        else:
            accumulator.add(
                rows.numpy(), weights, targets=None if targets is None else targets.numpy(), n_threads=n_threads
            )
    if keeps_rows:
        rigidity = Rigidity.from_features(
            torch.cat(kept_rows).numpy(),
            regularizer=data.regularizer,
            targets=torch.cat(kept_targets).numpy() if is_labelled else None,
            weights=data.weights,
            n_threads=n_threads,
        )
    else:
        rigidity = Rigidity.from_accumulator(accumulator, regularizer=data.regularizer, n_threads=n_threads)
    parts = float(np.sqrt(squares) + data.regularizer * torch.linalg.vector_norm(c))
    return GaussNewton(rigidity, gradient if is_labelled else None, parts)
