"""Linear models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import ArrayLike

from ..models._from_arrays import array_problem
from ..models._problem import Progress, fit
from ..models._scores import Loss
from ..models._settings import FitSettings, Regularizer
from ._fit_frames import fit_frames
from ._fitting import no_progress, wanted_descriptor
from ._frames import DEFAULT_ENERGY_KEY
from ._model import StructureModel

if TYPE_CHECKING:
    from ase import Atoms


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
        energy_key: str | None = DEFAULT_ENERGY_KEY,
        group_key: str = "config_type",
        baseline: Mapping[Any, float] | Literal["isolated"] | None = None,
        provenance: Mapping[str, Any] | None = None,
        keep_rows: str | PathLike[str] | None = None,
        n_threads: int = 0,
        progress: Progress = no_progress,
    ) -> LinearModel:
        """Fit to structures; with energies the model predicts them, without it gives rigidities all the same.

        Parameters
        ----------
        frames, hypers, descriptor, loss, weights, sigmas, energy_key, group_key, baseline, provenance, keep_rows, \
        n_threads, progress
            As for `SparseKernelModel.fit`.
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
            regularizer=regularizer,
            loss=loss,
            weights=weights,
            sigmas=sigmas,
            energy_key=energy_key,
            group_key=group_key,
            baseline=baseline,
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
    ) -> LinearModel:
        """Fit to features of any origin; `score_features` takes more of them, `save` writes the same kind of file.

        Parameters
        ----------
        X, species, structure, energies, loss, weights, sigmas, baseline, provenance, n_threads
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
        return cls._of(fit(array_problem(X, species, structure, energies, settings), stacklevel=3))
