"""Linear models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import as_count
from .._progress import Progress, silent
from ..models._from_arrays import array_problem
from ..models._from_rows import linear_model
from ..models._problem import fit
from ..models._scores import Loss
from ..models._settings import FitSettings, Regularizer
from ._components import ComponentScores, score_components, soap_masks
from ._frames import DEFAULT_ENERGY_KEY
from ._model import StructureModel
from .labels._noise import Noise
from .labels._noisy_labels import weighting
from .rows._fit_frames import fit_frames
from .rows._fitting import descriptor_to_use

if TYPE_CHECKING:
    from ase import Atoms

    from ..descriptors._soap_layout import By


class LinearModel(StructureModel):
    r"""Linear model of features, such as SOAP power spectra, with separate weights for each centre species.

    The features are not normalised. The weights minimise

    .. math::
        \sum_A w_A (y_A - X_A \cdot c)^2 + \mu\, |c|^2, \qquad X_A = \sum_{i \in A} \phi_i

    with y_A the total energy minus the baseline of the species. Build one with `fit`, `from_arrays` or `from_rows`, or
    read one with `load_model`.

    Examples
    --------
    >>> import numpy as np
    >>> from lpr_fast import LinearModel
    >>> X = np.random.default_rng(seed=0).normal(size=(40, 3))
    >>> species, structure = np.full(40, 14), np.repeat(np.arange(10), 4)
    >>> energies = X.sum(axis=1).reshape(10, 4).sum(axis=1)
    >>> model = LinearModel.from_arrays(X, species, structure, energies=energies, regularizer=1e-6)
    >>> model.score_features(X[:2], [14, 14]).lpr.shape
    (2,)
    """

    @classmethod
    def fit(
        cls,
        frames: Iterable[Atoms],
        *,
        regularizer: Regularizer = "auto",
        hypers: Mapping[str, Any] | None = None,
        descriptor: Any = None,
        loss: Loss = "total",
        weights: ArrayLike | str | None = None,
        sigmas: ArrayLike | str | None = None,
        sigma: Noise | Mapping[str, Any] | None = None,
        delta: float | Literal["auto"] = "auto",
        energy_key: str | None = DEFAULT_ENERGY_KEY,
        force_key: str | None = None,
        virial_key: str | None = None,
        group_key: str = "config_type",
        baseline: Mapping[Any, float] | Literal["isolated"] | None = None,
        hold: Iterable[Atoms] = (),
        provenance: Mapping[str, Any] | None = None,
        keep_rows: str | PathLike[str] | None = None,
        n_threads: int = 0,
        progress: Progress = silent,
    ) -> LinearModel:
        """Fit the model to structures. Without energies the model gives rigidities, but no predictions.

        Parameters
        ----------
        frames, hypers, descriptor, loss, weights, sigmas, sigma, energy_key, force_key, virial_key, group_key, \
        baseline, hold, provenance, keep_rows, n_threads, progress
            As for `SparseKernelModel.fit`.
        delta : float or "auto"
            With `sigma`, the prior standard deviation of the weights, in eV over the unit of the features.
        regularizer : float or "auto"
            mu > 0, in units of squared energies (of the loss) times squared features; "auto" as for
            `SparseKernelModel.fit`.

        Returns
        -------
        LinearModel

        Raises
        ------
        InvalidInputError
            For structures and options that cannot be used; the message names frame, atom and element if possible.
        """
        settings = FitSettings(
            "linear",
            **weighting(
                sigma,
                delta,
                regularizer=regularizer,
                loss=loss,
                weights=weights,
                sigmas=sigmas,
                group_key=group_key,
            ),
            energy_key=energy_key,
            force_key=force_key,
            virial_key=virial_key,
            group_key=group_key,
            baseline=baseline,
            hold=tuple(hold),
            provenance=provenance,
            n_threads=n_threads,
        )
        return fit_frames(cls, frames, descriptor_to_use(hypers, descriptor), settings, progress, keep_rows)

    @classmethod
    def from_arrays(
        cls,
        X: ArrayLike,
        species: ArrayLike,
        structure: ArrayLike,
        *,
        regularizer: Regularizer = "auto",
        loss: Loss = "total",
        weights: ArrayLike | None = None,
        sigmas: ArrayLike | None = None,
        energies: ArrayLike | None = None,
        baseline: Mapping[Any, float] | None = None,
        provenance: Mapping[str, Any] | None = None,
        n_threads: int = 0,
        progress: Progress = silent,
    ) -> LinearModel:
        """Fit the model to features from any source. `score_features` scores further environments.

        Parameters
        ----------
        X, species, structure, energies, loss, weights, sigmas, baseline, provenance, n_threads, progress
            As for `SparseKernelModel.from_arrays`; the features are not normalised.
        regularizer : float or "auto"
            As for `fit`.

        Returns
        -------
        LinearModel

        Raises
        ------
        InvalidInputError
            For arrays that cannot be used; the message names the row.
        """
        settings = FitSettings(
            "linear",
            regularizer=regularizer,
            loss=loss,
            weights=weights,
            sigmas=sigmas,
            baseline=baseline,
            provenance=provenance,
            n_threads=n_threads,
        )
        return cls._of(fit(array_problem(X, species, structure, energies, settings, progress), stacklevel=3))

    @classmethod
    def from_rows(
        cls,
        rows: ArrayLike,
        targets: ArrayLike | None = None,
        *,
        species: ArrayLike,
        regularizer: float,
        constants: bool = False,
        loss: Loss = "total",
        weights: ArrayLike | None = None,
        sigmas: ArrayLike | None = None,
        baseline: Mapping[Any, float] | None = None,
        provenance: Mapping[str, Any] | None = None,
        n_threads: int = 0,
    ) -> LinearModel:
        """Fit the model to training rows of energies, forces and virials from any source, such as FitSNAP's A matrix.

        `score_features`, C++, C and LAMMPS (``features c_ID``) then score environments from their features.

        Parameters
        ----------
        rows : array_like, shape (N, M)
            Derivatives of each predicted target with respect to the weights: one block of D columns, one for each
            feature, for each species.
        targets : array_like, shape (N,), optional
            Energies, components of forces and of virials, in the order of the rows. Without targets the model gives
            rigidities, but no predictions.
        species : array_like of int or str, shape (n_species,)
            Atomic number or symbol of each block of columns. The columns of the model are in ascending order of these.
        regularizer : float
            mu > 0 of the penalty ``mu |c|^2`` on all weights, including those of constants.
        constants : bool
            Whether each block begins with a column that counts the atoms of the species (FitSNAP's ``bzeroflag 0``).
            The features of environments have no such column: phi begins with a one.
        loss : {"total", "per_atom"}
            The loss to record in the model; it does not change rows and targets.
        weights : array_like, shape (N,), optional
            Weight of each row's *squared* residual: the squares of FitSNAP's w.
        sigmas : array_like, shape (N,), optional
            The standard deviation of each target, in place of weights: the weight is 1 / sigma^2.
        baseline : mapping, optional
            Energy per atom of each species that was subtracted from the targets, to be added to local energies.
        provenance, n_threads
            As for `fit`.

        Returns
        -------
        LinearModel

        Raises
        ------
        InvalidInputError
            For arrays that cannot be used; the message names the row.
        """
        settings = FitSettings(
            "linear",
            regularizer=regularizer,
            loss=loss,
            weights=weights,
            sigmas=sigmas,
            baseline=baseline,
            provenance=provenance,
            n_threads=n_threads,
        )
        return cls._of(linear_model(rows, targets, species, settings, has_constants=constants, stacklevel=3))

    def component_masks(self, by: By) -> dict[str, NDArray[np.bool_]]:
        """Return masks of components of SOAP power spectra, for `score_components`.

        Parameters
        ----------
        by : {"species", "angular", "radial"}
            Pairs of neighbour species (``"Si-O"``), angular channels (``"l=3"``), or pairs of radial functions
            (``"n=0,2"``). Each feature is in exactly one component.

        Returns
        -------
        dict of str to numpy.ndarray of bool, shape (D,)

        Raises
        ------
        InvalidInputError
            For another `by`, and for models of other features.
        """
        return soap_masks(self.descriptor, self.species, by)

    def score_components(
        self, frames: Iterable[Atoms], masks: Mapping[str, ArrayLike], *, n_threads: int = 0
    ) -> ComponentScores:
        """Score components of the local predictions: the contributions of groups of features.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            As for `score`.
        masks : mapping of str to array_like of bool, shape (D,)
            Features of each component: from `component_masks`, or your own, for instance for body orders or for several
            concatenated descriptors.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        ComponentScores

        Raises
        ------
        InvalidInputError
            As for `score`, and for masks that do not fit the features.
        """
        count = as_count("n_threads", n_threads)
        return score_components(self._model, self.rigidity, self.pipeline, frames, masks, count)
