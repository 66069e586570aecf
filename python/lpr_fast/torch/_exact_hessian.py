"""The Hessian of a network's loss with its second derivatives."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import grad, vjp, vmap

from .._errors import InvalidInputError
from .._rigidity import Rigidity
from ._atoms import Atoms
from ._network import Network
from ._training_data import TrainingData

# Rows of the Hessian that are carried through the network at once.
_ROWS = 64


def exact_rigidity(network: Network, data: TrainingData, n_threads: int) -> Rigidity:
    """H of half the loss, differentiated twice: equation 6 of the paper with its second term.

    It takes M times the work of a gradient.
    """
    if data.targets is None:
        raise InvalidInputError(
            "hessian='exact' needs the residuals; give energies, or take hessian='gauss-newton', which does without."
        )
    hessian = torch.zeros(network.size, network.size, dtype=torch.float64)
    for structure, w, y in zip(data.structures, data.weights.tolist(), data.targets, strict=True):
        hessian += w * _of_half_square(network, structure, y)
    return Rigidity.from_hessian(hessian.numpy(), regularizer=data.regularizer, n_threads=n_threads)


def _of_half_square(network: Network, structure: Atoms, target: Tensor) -> Tensor:
    """Second derivatives of (y - Y)^2 / 2, some rows at a time."""

    def half_square(c: Tensor) -> Tensor:
        return 0.5 * (target - network.local(structure, network.named(c)).sum()) ** 2

    back = vjp(grad(half_square), network.weights)[1]
    (rows,) = vmap(back, chunk_size=_ROWS)(torch.eye(network.size, dtype=torch.float64))
    found: Tensor = rows
    return found
