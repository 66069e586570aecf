"""Linear models on SOAP power spectra."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from ..models._basis import LinearBasis
from ..models._from_arrays import ArrayProblem
from ..models._scores import Loss
from . import _fitting
from ._frames import DEFAULT_ENERGY_KEY
from ._model import StructureModel

if TYPE_CHECKING:
    from ase import Atoms


class LinearModel(StructureModel):
    r"""Linear model on SOAP power spectra, with weights of its own for each centre species.

    The features are featomic's, folded, and not normalised. The weights minimise

    .. math::
        \sum_A w_A (y_A - X_A \cdot c)^2 + \mu\, |c|^2, \qquad X_A = \sum_{i \in A} \phi_i

    with y_A the total energy less the baseline of the species. Build one with `fit`, or `load_model`.
    """

    @classmethod
    def fit(
        cls,
        frames: Iterable[Atoms],
        *,
        hypers: Mapping[str, Any],
        regularizer: float,
        loss: Loss = "total",
        weights: ArrayLike | None = None,
        energy_key: str | None = DEFAULT_ENERGY_KEY,
        baseline: Mapping[Any, float] | None = None,
        provenance: Mapping[str, Any] | None = None,
        n_threads: int = 0,
        progress: _fitting.Progress = _fitting.no_progress,
    ) -> LinearModel:
        """Fit to structures; with energies the model predicts them, without it gives rigidities all the same.

        Parameters
        ----------
        frames, hypers, loss, weights, energy_key, baseline, provenance, n_threads, progress
            As for `SparseKernelModel.fit`.
        regularizer : float
            mu > 0, in units of squared energies (of the loss) times squared features.

        Returns
        -------
        LinearModel

        Raises
        ------
        InvalidInputError
            Naming what cannot be used, where possible by frame, atom and element.
        """
        problem = _fitting.Problem.checked(
            frames,
            hypers=hypers,
            regularizer=regularizer,
            loss=loss,
            weights=weights,
            energy_key=energy_key,
            baseline=baseline,
            provenance=provenance,
            n_threads=n_threads,
            progress=progress,
        )
        basis = LinearBasis(problem.training.species, problem.soap.n_features)
        return cls._of(_fitting.fitted(basis, problem, {}))

    @classmethod
    def from_arrays(
        cls,
        X: ArrayLike,
        species: ArrayLike,
        structure: ArrayLike,
        *,
        regularizer: float,
        loss: Loss = "total",
        weights: ArrayLike | None = None,
        energies: ArrayLike | None = None,
        baseline: Mapping[int, float] | None = None,
        provenance: Mapping[str, Any] | None = None,
        n_threads: int = 0,
    ) -> LinearModel:
        """Fit to features of any origin; `score_features` takes more of them, `save` writes the same kind of file.

        Parameters
        ----------
        X, species, structure, energies, loss, weights, baseline, provenance, n_threads
            As for `SparseKernelModel.from_arrays`; the features are taken as they are.
        regularizer : float
            As for `fit`.

        Returns
        -------
        LinearModel

        Raises
        ------
        InvalidInputError
            Naming what cannot be used, and its row.
        """
        problem = ArrayProblem.checked(
            X,
            species,
            structure,
            regularizer=regularizer,
            loss=loss,
            weights=weights,
            energies=energies,
            baseline=baseline,
            provenance=provenance,
            n_threads=n_threads,
        )
        basis = LinearBasis(problem.structures.species, problem.features.shape[1])
        return cls._of(problem.fitted(basis, {}))
