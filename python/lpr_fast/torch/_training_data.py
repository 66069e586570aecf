"""What a network is trained on, in the form that a Rigidity speaks of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from .._arrays import Array, as_vector
from .._errors import InvalidInputError
from ..models._structures import checked_weights
from ._atoms import Atoms, checked_atoms, structures_of
from ._loss import SquaredLoss
from ._network import Network


@dataclass(frozen=True)
class TrainingData:
    """Structures, and the loss sum_A w_A (y_A - Y_A)^2 + mu |c|^2.

    Attributes
    ----------
    atoms : Atoms
        All of them, as they came.
    structures : list of Atoms
        Those of each structure.
    weights : numpy.ndarray, shape (N,)
        w_A, with what the loss does to residuals.
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
        """Throw for a loss without an L2 term."""
        if self.regularizer == 0.0:
            raise InvalidInputError(
                "the loss has no L2 term, without which weights that the data do not see have no rigidity; give "
                "penalty= or weight_decay= as the training had it, or a small one."
            )

    def residuals(self, network: Network) -> Tensor:
        """y_A - Y_A."""
        assert self.targets is not None
        return self.targets - network.totals(self.structures)

    def loss_of(self, network: Network) -> float:
        """What a training makes small."""
        weights, c = torch.from_numpy(self.weights), network.weights
        return float((weights * self.residuals(network) ** 2).sum() + self.regularizer * (c * c).sum())

    def linearised(self, network: Network) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Rows, and the targets of the linear model that the network is near its weights: y_A - Y_A + X_A . c."""
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
    """Arguments of a caller, checked."""
    if not isinstance(loss, SquaredLoss):
        raise InvalidInputError("loss is no SquaredLoss; give lpr_fast.torch.SquaredLoss(...) as the training had it.")
    atoms = checked_atoms(X, species, network.species)
    structures = structures_of(atoms, structure)
    network.refuse_dependent(atoms)
    of_loss = checked_weights(weights, len(structures), "structure")
    if loss.residuals == "per_atom":
        of_loss = of_loss / [float(len(each)) ** 2 for each in structures]
    targets = None if energies is None else torch.tensor(as_vector("energies", energies))
    if targets is not None and (len(targets) != len(structures) or not bool(torch.isfinite(targets).all())):
        raise InvalidInputError(
            f"energies holds {len(targets)} numbers for {len(structures)} structures; give one for each, all finite."
        )
    return TrainingData(atoms, structures, of_loss, loss.regularizer(len(structures)), targets)
