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
from .rows._fitting import wanted_descriptor

if TYPE_CHECKING:
    from ase import Atoms

    from ..descriptors._soap_layout import By


class LinearModel(StructureModel):
    r"""Linear model of features, such as SOAP power spectra, with weights of its own for each centre species.

    The features are not normalised. The weights minimise

    .. math::
        \sum_A w_A (y_A - X_A \cdot c)^2 + \mu\, |c|^2, \qquad X_A = \sum_{i \in A} \phi_i

    with y_A the total energy less the baseline of the species. Build one with `fit`, or `load_model`.
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
        """Fit to structures; with energies the model predicts them, without it gives rigidities all the same.

        Parameters
        ----------
        frames, hypers, descriptor, loss, weights, sigmas, sigma, energy_key, force_key, virial_key, group_key, \
        baseline, hold, provenance, keep_rows, n_threads, progress
            As for `SparseKernelModel.fit`.
        delta : float or "auto"
            With `sigma`, the prior standard deviation of the weights, in eV over the unit of the features.
        regularizer : float or "auto"
            mu > 0, in units of squared energies (of the loss) times squared features; "auto" as there.

        Returns
        -------
        LinearModel

        Raises
        ------
        InvalidInputError
            Naming what cannot be used, where possible by frame, atom and element.
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
        return fit_frames(cls, frames, wanted_descriptor(hypers, descriptor), settings, progress, keep_rows)

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
        baseline: Mapping[int, float] | None = None,
        provenance: Mapping[str, Any] | None = None,
        n_threads: int = 0,
        progress: Progress = silent,
    ) -> LinearModel:
        """Fit to features of any origin; `score_features` takes more of them, `save` writes the same kind of file.

        Parameters
        ----------
        X, species, structure, energies, loss, weights, sigmas, baseline, provenance, n_threads, progress
            As for `SparseKernelModel.from_arrays`; the features are taken as they are.
        regularizer : float or "auto"
            As for `fit`.

        Returns
        -------
        LinearModel

        Raises
        ------
        InvalidInputError
            Naming what cannot be used, and its row.
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
        baseline: Mapping[int, float] | None = None,
        provenance: Mapping[str, Any] | None = None,
        n_threads: int = 0,
    ) -> LinearModel:
        """Fit to training rows of any origin: of energies, forces and virials alike, such as the A matrix of FitSNAP.

        `score_features`, C++, C and LAMMPS (``features c_ID``) then take the features of any environment.

        Parameters
        ----------
        rows : array_like, shape (N, M)
            Derivatives of what each target is about with respect to the weights: one block of columns for each species,
            of D features each.
        targets : array_like, shape (N,), optional
            Energies, components of forces and of virials, in the order of the rows; without them the model gives
            rigidities all the same.
        species : array_like of int, shape (n_species,)
            Atomic number of each block of columns. The columns of the model stand in ascending order of these.
        regularizer : float
            mu > 0 of the penalty ``mu |c|^2`` on all weights, those of constants included.
        constants : bool
            Whether each block begins with a column that counts the atoms of the species (FitSNAP's ``bzeroflag 0``).
            Features of environments come without it: phi begins with a one.
        loss : {"total", "per_atom"}
            What the model is to say of its loss; rows and targets are taken as they are.
        weights : array_like, shape (N,), optional
            Weight of each row's *squared* residual: the squares of FitSNAP's w.
        sigmas : array_like, shape (N,), optional
            Instead of weights, the standard deviation of each target: the weight is 1 / sigma^2.
        baseline : mapping, optional
            Energy per atom of each species that was taken off the targets, and is to be added to local energies.
        provenance, n_threads
            As for `fit`.

        Returns
        -------
        LinearModel

        Raises
        ------
        InvalidInputError
            Naming what cannot be used, and its row.
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
        """Features of components of the model's power spectra: for `score_components`.

        Parameters
        ----------
        by : {"species", "angular", "radial"}
            Pairs of neighbour species (``"Si-O"``), angular channels (``"l=3"``), or pairs of radial functions
            (``"n=0,2"``). A feature is in one component: what folding joins is never torn apart.

        Returns
        -------
        dict of str to numpy.ndarray of bool, shape (D,)

        Raises
        ------
        InvalidInputError
            For another `by`, and models of other features.
        """
        return soap_masks(self.descriptor, self.species, by)

    def score_components(
        self, frames: Iterable[Atoms], masks: Mapping[str, ArrayLike], *, n_threads: int = 0
    ) -> ComponentScores:
        """Rigidity and local energy of components of the local predictions: of what some of the features contribute.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            As for `score`.
        masks : mapping of str to array_like of bool, shape (D,)
            Features of each component: those of `component_masks`, or of your own, for body orders or several
            descriptors in one.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        ComponentScores

        Raises
        ------
        InvalidInputError
            As `score`, and for masks that do not fit the features.
        """
        count = as_count("n_threads", n_threads)
        return score_components(self._model, self.rigidity, self.pipeline, frames, masks, count)
