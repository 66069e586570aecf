"""The exact Hessian of the loss of a network, with second derivatives of the network."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import grad, vjp, vmap

from .._errors import InvalidInputError
from .._rigidity import Rigidity
from ._atoms import Atoms
from ._network import Network
from ._training_data import TrainingData

# Rows of the Hessian that are computed at once.
_ROWS = 64


def exact_rigidity(network: Network, data: TrainingData, n_threads: int) -> Rigidity:
    """Return the rigidity for H of half the loss with second derivatives: equation 6 of the paper with both terms.

    It needs M times the work of a gradient.
    """
    if data.targets is None:
        raise InvalidInputError(
            "hessian='exact' needs energies, but none were given; give energies, or hessian='gauss-newton'."
        )
    hessian = torch.zeros(network.size, network.size, dtype=torch.float64)
    for structure, w, y in zip(data.structures, data.weights.tolist(), data.targets, strict=True):
        hessian += w * _of_half_square(network, structure, y)
    return Rigidity.from_hessian(hessian.numpy(), regularizer=data.regularizer, n_threads=n_threads)


def _of_half_square(network: Network, structure: Atoms, target: Tensor) -> Tensor:
    """Return the second derivatives of (y - Y)^2 / 2, computed some rows at a time."""

    def half_square(c: Tensor) -> Tensor:
        return 0.5 * (target - network.local(structure, network.named(c)).sum()) ** 2

    back = vjp(grad(half_square), network.weights)[1]
    (rows,) = vmap(back, chunk_size=_ROWS)(torch.eye(network.size, dtype=torch.float64))
    found: Tensor = rows
    return found
