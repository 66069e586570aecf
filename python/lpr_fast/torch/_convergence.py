"""Check whether a network is at a minimum of its loss."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch

from .._arrays import Array
from .._errors import LprWarning
from .._words import counted
from ._gauss_newton import GaussNewton, gauss_newton
from ._network import Network
from ._training_data import TrainingData

# Number of training atoms whose LPR is compared, evenly spaced among all.
_SAMPLED_ATOMS = 500

# Largest number of halvings of a step that does not lower the loss.
_HALVINGS = 20

# Above these values there is a warning.
_LARGE_GAIN = 0.01
_LARGE_CHANGE = 0.1


@dataclass(frozen=True)
class Convergence:
    r"""Distance of a network from a minimum of its loss; the local prediction rigidity is defined at a minimum.

    Attributes
    ----------
    gradient : float
        Norm of the gradient of the loss, relative to that of its uncorrelated parts; it does not depend on units or on
        the size of the training set.
    gain : float
        Share of the loss by which the linearised network could lower it.
    lpr_change : float
        Median of ``|ln(LPR after / LPR before)|`` over training atoms, for `n_steps` further steps.
    n_steps : int
        Number of further Gauss-Newton steps, each halved until the loss is lower; fewer than requested if no step
        lowers the loss.
    """

    gradient: float
    gain: float
    lpr_change: float
    n_steps: int

    @property
    def is_converged(self) -> bool:
        """Whether `gain` and `lpr_change` are so small that there is no warning."""
        return self.gain <= _LARGE_GAIN and self.lpr_change <= _LARGE_CHANGE


def convergence_of(
    network: Network, data: TrainingData, start: GaussNewton, further_steps: int, n_threads: int
) -> Convergence:
    """Return the changes of loss and rigidities by a few further steps."""
    assert start.gradient is not None
    loss = data.loss_of(network)
    gain = float(start.rigidity.variance(start.gradient.numpy(), scale=1.0, n_threads=n_threads)[0])
    some = data.atoms.select(slice(None, None, max(1, len(data.atoms) // _SAMPLED_ATOMS)))

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
    with np.errstate(divide="ignore", invalid="ignore"):  # infinite for atoms whose predictions have no weights
        changes = np.abs(np.log(after / before))
    change = float(np.median(np.nan_to_num(changes, nan=0.0)))
    norm = float(torch.linalg.vector_norm(start.gradient))
    relative = norm / start.size_of_parts if norm > 0.0 else 0.0
    return Convergence(relative, gain / loss if loss > 0.0 else 0.0, change, n_steps)


def _lower(network: Network, data: TrainingData, at: GaussNewton) -> Network | None:
    """Return the network after a Gauss-Newton step; None if no step lowers the loss."""
    loss, c = data.loss_of(network), network.weights
    step = torch.from_numpy(at.rigidity.weights) - c
    for k in range(_HALVINGS):
        other = network.with_weights(c + 0.5**k * step)
        if data.loss_of(other) < loss:
            return other
    return None


def warn_of(convergence: Convergence) -> None:
    """Warn if the network is not at a minimum; the warning points at the caller's caller."""
    if convergence.is_converged:
        return
    warnings.warn(
        f"the network is not at a minimum of this loss: training can lower the loss by a share of "
        f"{convergence.gain:.2g}, and {counted(convergence.n_steps, 'further Gauss-Newton step')} change the LPR by a "
        f"factor of {np.exp(convergence.lpr_change):.3g} (median); train it further (lpr_fast.torch.train), or give "
        "the loss that it was trained on.",
        LprWarning,
        stacklevel=3,
    )
