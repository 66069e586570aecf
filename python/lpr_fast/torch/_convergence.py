"""Whether a network is at a minimum of its loss."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch

from .._arrays import Array
from .._errors import LprWarning
from ._gauss_newton import GaussNewton, gauss_newton
from ._network import Network
from ._training_data import TrainingData

# Training atoms whose LPR is looked at, evenly among all.
_LOOKED_AT = 500

# Halvings of a step that does not lower the loss.
_HALVINGS = 20

# A network is worth a warning above these.
_LARGE_GAIN = 0.01
_LARGE_CHANGE = 0.1


@dataclass(frozen=True)
class Convergence:
    r"""How far from a minimum of its loss a network is: local prediction rigidity speaks of networks at one.

    Attributes
    ----------
    gradient : float
        Norm of the loss's gradient, relative to what it would be if its parts did not balance each other; whatever the
        units and the size of the training set.
    gain : float
        Share of the loss that the linear model of the network says is still to be gained.
    lpr_change : float
        Median of \|ln(LPR after / LPR before)\| over training atoms, where the steps of `n_steps` went.
    n_steps : int
        Further steps of Gauss and Newton, each halved until the loss was lower; fewer than asked for where none is.
    """

    gradient: float
    gain: float
    lpr_change: float
    n_steps: int

    @property
    def is_converged(self) -> bool:
        """Whether nothing here is worth a warning."""
        return self.gain <= _LARGE_GAIN and self.lpr_change <= _LARGE_CHANGE


def convergence_of(
    network: Network, data: TrainingData, start: GaussNewton, further_steps: int, n_threads: int
) -> Convergence:
    """What a few further steps do to the loss and to the rigidities."""
    assert start.gradient is not None
    loss = data.loss_of(network)
    gain = float(start.rigidity.variance(start.gradient.numpy(), scale=1.0, n_threads=n_threads)[0])
    some = data.atoms.taken(slice(None, None, max(1, len(data.atoms) // _LOOKED_AT)))

    def lpr(network: Network, at: GaussNewton) -> Array:
        return np.concatenate([at.rigidity.lpr(rows.numpy(), n_threads=n_threads) for rows in network.atom_rows(some)])

    before = after = lpr(network, start)
    here, at, n_steps = network, start, 0
    while n_steps < further_steps:
        lower = _lower(here, data, at)
        if lower is None:
            break
        here, n_steps = lower, n_steps + 1
        at = gauss_newton(here, data, n_threads)
        after = lpr(here, at)
    with np.errstate(divide="ignore", invalid="ignore"):  # infinite for atoms that the weights do not see
        changes = np.abs(np.log(after / before))
    change = float(np.median(np.nan_to_num(changes, nan=0.0)))
    norm = float(torch.linalg.vector_norm(start.gradient))
    relative = norm / start.size_of_parts if norm > 0.0 else 0.0
    return Convergence(relative, gain / loss if loss > 0.0 else 0.0, change, n_steps)


def _lower(network: Network, data: TrainingData, at: GaussNewton) -> Network | None:
    """The network a step of Gauss and Newton further, if that lowers the loss."""
    loss, c = data.loss_of(network), network.weights
    step = torch.from_numpy(at.rigidity.weights) - c
    for k in range(_HALVINGS):
        other = network.with_weights(c + 0.5**k * step)
        if data.loss_of(other) < loss:
            return other
    return None


def warn_of(convergence: Convergence) -> None:
    """Say that rigidities may be those of no minimum; the warning points at the caller's caller."""
    if convergence.is_converged:
        return
    warnings.warn(
        f"the network is not at a minimum of this loss: {convergence.gain:.2g} of the loss is still to be gained, and "
        f"{convergence.n_steps} further steps of Gauss and Newton change the LPR by a factor of "
        f"{np.exp(convergence.lpr_change):.3g} (median); train it further (lpr_fast.torch.train), or give the "
        "loss that it was trained on.",
        LprWarning,
        stacklevel=3,
    )
