"""Training data of a network, with the loss in the form of a `Rigidity`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from .._arrays import Array, as_vector
from .._errors import InvalidInputError
from .._words import counted
from ..models._structures import checked_weights
from ._atoms import Atoms, checked_atoms, structures_of
from ._loss import SquaredLoss
from ._network import Network


@dataclass(frozen=True)
class TrainingData:
    """Structures, and the loss ``sum_A w_A (y_A - Y_A)^2 + mu |c|^2``.

    Attributes
    ----------
    atoms : Atoms
        All atoms, in the given order.
    structures : list of Atoms
        The atoms of each structure.
    weights : numpy.ndarray, shape (N,)
        w_A, including the weight of the loss.
    regularizer : float
        mu.
    targets : torch.Tensor, shape (N,), or None
        y_A.
    """

    atoms: Atoms
    structures: list[Atoms]
    weights: Array
    regularizer: float
    targets: Tensor | None

    def refuse_no_penalty(self) -> None:
        """Raise for a loss without an L2 term."""
        if self.regularizer == 0.0:
            raise InvalidInputError(
                "the loss has no L2 term, which weights that the data do not determine need; give penalty= or "
                "weight_decay= of the training, or a small one."
            )

    def residuals(self, network: Network) -> Tensor:
        """Return the residuals y_A - Y_A."""
        assert self.targets is not None
        return self.targets - network.totals(self.structures)

    def loss_of(self, network: Network) -> float:
        """Return the loss."""
        weights, c = torch.from_numpy(self.weights), network.weights
        return float((weights * self.residuals(network) ** 2).sum() + self.regularizer * (c * c).sum())

    def linearised(self, network: Network) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield rows, and targets of the linear model of the network near its weights, y_A - Y_A + X_A . c."""
        c, first = network.weights, 0
        residuals = None if self.targets is None else self.residuals(network)
        for rows in network.structure_rows(self.structures):
            part = slice(first, first + len(rows))
            yield rows, None if residuals is None else residuals[part] + rows @ c
            first += len(rows)


def training_data(
    network: Network,
    X: ArrayLike,
    structure: ArrayLike,
    energies: ArrayLike | None,
    *,
    species: ArrayLike | None,
    weights: ArrayLike | None,
    loss: SquaredLoss,
) -> TrainingData:
    """Check the arguments of a caller."""
    if not isinstance(loss, SquaredLoss):
        raise InvalidInputError(
            f"loss is a {type(loss).__name__}; give lpr_fast.torch.SquaredLoss(...) as in the training."
        )
    atoms = checked_atoms(X, species, network.species)
    structures = structures_of(atoms, structure)
    network.refuse_dependent(atoms)
    of_loss = checked_weights(weights, len(structures), "structure")
    if loss.residuals == "per_atom":
        of_loss = of_loss / [float(len(each)) ** 2 for each in structures]
    targets = None if energies is None else torch.tensor(as_vector("energies", energies))
    if targets is not None and (len(targets) != len(structures) or not bool(torch.isfinite(targets).all())):
        raise InvalidInputError(
            f"energies has {counted(len(targets), 'number')} for {counted(len(structures), 'structure')}; give a "
            "finite one for each."
        )
    return TrainingData(atoms, structures, of_loss, loss.regularizer(len(structures)), targets)
