"""Rigidities of the local predictions of a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from .._arrays import Array, as_count
from .._errors import InvalidInputError
from .._rigidity import Rigidity
from ._atoms import checked_atoms, structures_of
from ._convergence import Convergence, convergence_of, warn_of
from ._exact_hessian import exact_rigidity
from ._gauss_newton import gauss_newton
from ._loss import SquaredLoss
from ._network import Component, Modules, Network
from ._training_data import training_data

WhichHessian = Literal["gauss-newton", "exact"]


@dataclass(frozen=True, eq=False)
class NetworkRigidity:
    """Rigidities of the local predictions of a network, from the features of atoms. Build one by `network_rigidity`.

    Atoms are scored in batches, so that memory does not grow with their number.

    Attributes
    ----------
    rigidity : Rigidity
        The rigidity of the Hessian, for `Rigidity.covariance` and everything else that takes rows of phi.
    convergence : Convergence or None
        Distance of the network from a minimum of its loss; None without energies.
    """

    rigidity: Rigidity
    convergence: Convergence | None
    _network: Network

    @property
    def size(self) -> int:
        """M, the number of weights that are not frozen."""
        return self._network.size

    def phi(self, X: ArrayLike, *, species: ArrayLike | None = None) -> Iterator[Array]:
        """Yield batches of rows of the Jacobian, phi_i = d y_i / dc, (n, M) each, in the order of the atoms.

        Parameters
        ----------
        X : array_like, shape (n_atoms, D)
            Features of atoms.
        species : array_like of int or str, shape (n_atoms,), optional
            Species of the atoms, as for `network_rigidity`.

        Yields
        ------
        numpy.ndarray, shape (n, M)

        Raises
        ------
        InvalidInputError
            For features and species that cannot be used.
        """
        atoms = checked_atoms(X, species, self._network.species)
        return (rows.numpy() for rows in self._network.atom_rows(atoms))

    def _scored(self, score: Callable[[Array], Array], X: ArrayLike, species: ArrayLike | None) -> Array:
        return np.concatenate([np.zeros(0), *(score(rows) for rows in self.phi(X, species=species))])

    def lpr(self, X: ArrayLike, *, species: ArrayLike | None = None, n_threads: int = 0) -> Array:
        """Return the local prediction rigidity of atoms from their features, (n, D) -> (n,): see `Rigidity.lpr`."""
        return self._scored(lambda rows: self.rigidity.lpr(rows, n_threads=n_threads), X, species)

    def lpr_held(self, X: ArrayLike, *, species: ArrayLike | None = None, n_threads: int = 0) -> Array:
        """Return the same with the held rows of `holding` fixed: see `Rigidity.lpr_held`."""
        return self._scored(lambda rows: self.rigidity.lpr_held(rows, n_threads=n_threads), X, species)

    def variance(
        self, X: ArrayLike, *, species: ArrayLike | None = None, scale: float | None = None, n_threads: int = 0
    ) -> Array:
        """Return the variance scale / LPR of atoms from their features, (n, D) -> (n,): see `Rigidity.variance`."""
        return self._scored(lambda rows: self.rigidity.variance(rows, scale=scale, n_threads=n_threads), X, species)

    def holding(self, rows: ArrayLike) -> NetworkRigidity:
        """Return the same with rows of `phi`, or sums of them, held fixed in `lpr_held`: see `Rigidity.holding`."""
        return replace(self, rigidity=self.rigidity.holding(rows))

    def component(self, contribution: Component) -> NetworkRigidity:
        """Return the same for a component of the local predictions, such as a body order or a range of distances.

        Parameters
        ----------
        contribution : callable
            Called with the module and the arguments of the module; returns the component of the predictions, (n,) or
            (n, 1). It must use the parameters of the module, because the rows are its derivatives.

        Returns
        -------
        NetworkRigidity
            With the Hessian of the whole network. Predictions of components add up, their rigidities do not.
        """
        return replace(self, _network=self._network.with_component(contribution))

    def predict(self, X: ArrayLike, *, species: ArrayLike | None = None) -> Array:
        """Return the local predictions of atoms from their features, in float64: (n, D) -> (n,)."""
        return self._network.predict(checked_atoms(X, species, self._network.species))


def network_rigidity(
    module: Modules,
    X: ArrayLike,
    structure: ArrayLike,
    energies: ArrayLike | None = None,
    *,
    loss: SquaredLoss,
    species: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    hessian: WhichHessian = "gauss-newton",
    further_steps: int = 3,
    n_threads: int = 0,
) -> NetworkRigidity:
    r"""Return the rigidity of the local predictions of a network that was trained on sums over structures.

    .. math::
        H = \sum_A w_A X_A X_A^T + \mu I, \qquad X_A = \sum_{i \in A} \frac{\partial y_i}{\partial c}

    The second derivatives of the network, times the residuals, are neglected as in the paper, or included. A copy in
    float64, in evaluation mode, is used. Frozen parameters (``requires_grad=False``) are not weights.

    Parameters
    ----------
    module : torch.nn.Module, or dict of int or str to torch.nn.Module
        Maps features (n, D) to predictions (n,) or (n, 1), each from its own row alone. With `species`, a single module
        is called with features and species; a dictionary has a module for each species.
    X : array_like, shape (n_atoms, D)
        Features of the atoms of all training structures.
    structure : array_like of int, shape (n_atoms,)
        Number of the structure that each atom belongs to.
    energies : array_like, shape (N,), optional
        Targets of the structures, in ascending order of their numbers, minus everything that the module does not
        predict. The exact Hessian and the check of convergence need them; the Gauss-Newton Hessian does not.
    loss : SquaredLoss
        The loss that the network was trained on.
    species : array_like of int or str, shape (n_atoms,), optional
        Species of the atoms.
    weights : array_like, shape (N,), optional
        Weight of each structure's squared residual; 1 by default.
    hessian : {"gauss-newton", "exact"}
        Whether second derivatives are neglected or included. The exact Hessian needs M times the work of a gradient,
        and is positive definite only near a minimum.
    further_steps : int
        Number of Gauss-Newton steps for the check of convergence, if there are energies; each needs as much work as the
        rigidity itself. An `LprWarning` is issued for a network that is not converged.
    n_threads : int
        See `Rigidity`; torch has its own number of threads.

    Returns
    -------
    NetworkRigidity

    Raises
    ------
    InvalidInputError
        For modules and arrays that cannot be used, and for a loss without an L2 term.
    NotPositiveDefiniteError
        If the exact Hessian is not positive definite; the message names its smallest eigenvalue.
    """
    if hessian not in ("gauss-newton", "exact"):
        raise InvalidInputError(f"hessian is {hessian!r}; it must be 'gauss-newton' or 'exact'.")
    network = Network(module)
    data = training_data(network, X, structure, energies, species=species, weights=weights, loss=loss)
    steps = as_count("further_steps", further_steps)
    rigidity = exact_rigidity(network, data, n_threads) if hessian == "exact" else None
    convergence = None
    if rigidity is None or data.targets is not None:
        linear = gauss_newton(network, data, n_threads)
        rigidity = rigidity or linear.rigidity
        if data.targets is not None:
            convergence = convergence_of(network, data, linear, steps, n_threads)
            warn_of(convergence)
    return NetworkRigidity(rigidity, convergence, network)


def jacobian_rows(
    module: Modules, X: ArrayLike, structure: ArrayLike | None = None, *, species: ArrayLike | None = None
) -> Iterator[Array]:
    """Yield rows of the Jacobian of a network, for instance for a `HessianAccumulator`.

    Parameters
    ----------
    module, X, species
        As for `network_rigidity`.
    structure : array_like of int, shape (n_atoms,), optional
        If given, rows are summed over the atoms of each structure, in ascending order of the numbers.

    Yields
    ------
    numpy.ndarray, shape (n, M)
        Batches of rows, of at most 16 MB, in float64.

    Raises
    ------
    InvalidInputError
        For modules and arrays that cannot be used.
    """
    network = Network(module)
    atoms = checked_atoms(X, species, network.species)
    network.refuse_dependent(atoms)
    rows = network.atom_rows(atoms) if structure is None else network.structure_rows(structures_of(atoms, structure))
    return (batch.numpy() for batch in rows)
