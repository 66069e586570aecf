"""Rigidities of components of the local predictions of linear models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from .._arrays import Array
from .._errors import InvalidInputError
from .._rigidity import Rigidity
from ._pipeline import Pipeline, stacked

if TYPE_CHECKING:
    from ase import Atoms

    from ..descriptors._soap_layout import By

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ComponentScores:
    """Scores of components of the local predictions of atoms, each of shape (n_atoms, n_components).

    Attributes
    ----------
    names : tuple of str
        The components.
    lpr : numpy.ndarray
        1 / (phi_c^T H^-1 phi_c), where phi_c is phi with zeros outside the component. They do not add up to the LPR of
        the whole, because predictions of components are correlated.
    lpr_held : numpy.ndarray or None
        The same with the held rows of the model fixed; None for models without held rows.
    local_energy : numpy.ndarray or None
        phi_c . c; they add up to the local energy without the baseline. None for models without energies.
    """

    names: tuple[str, ...]
    lpr: Array
    lpr_held: Array | None
    local_energy: Array | None


def soap_masks(descriptor: Mapping[str, Any] | None, species: tuple[int, ...], by: By) -> dict[str, Mask]:
    """Return the features of each component of a model's power spectra, as masks."""
    from ..descriptors._soap_layout import SoapLayout

    if descriptor is None or descriptor["kind"] != "soap":
        raise InvalidInputError(
            "the features of this model are not SOAP power spectra of hypers; give score_components your own masks, "
            "one for each component."
        )
    return dict(SoapLayout.of(species, descriptor["angular"], descriptor["n_radial"]).masks(by))


def score_components(
    model: _core.Model,
    rigidity: Rigidity,
    pipeline: Pipeline,
    frames: Iterable[Atoms],
    masks: Mapping[str, ArrayLike],
    n_threads: int,
) -> ComponentScores:
    """Return the scores of all components, piece by piece."""
    chosen = _columns(masks, pipeline.n_features, len(pipeline.species))
    holds, predicts = model.factor.held() is not None, rigidity.weights is not None
    weights = rigidity.weights if predicts else np.zeros(model.size)

    def scores(phi: Array) -> Array:
        found = [rigidity.lpr(phi * mask, n_threads=n_threads) for mask in chosen]
        if holds:
            found += [rigidity.lpr_held(phi * mask, n_threads=n_threads) for mask in chosen]
        found += [(phi * mask * weights).sum(axis=1) for mask in chosen]
        return np.stack(found, axis=1)

    parts = (
        (piece, scores(model.phi(pipeline.features(piece, n_threads), piece.numbers.astype(np.int32), n_threads)))
        for piece in pipeline.pieces(frames, "error")
    )
    width = len(chosen)
    together = stacked(parts, width * (2 + holds))
    return ComponentScores(
        tuple(masks),
        together[:, :width],
        together[:, width : 2 * width] if holds else None,
        together[:, -width:] if predicts else None,
    )


def _columns(masks: Mapping[str, ArrayLike], n_features: int, n_species: int) -> Mask:
    """Return masks of the columns of phi: the masks of the features, repeated for each centre species."""
    if not isinstance(masks, Mapping) or not masks:
        raise InvalidInputError("masks has no component; give a dictionary such as {'l=0': mask}.")
    columns = []
    for name, given in masks.items():
        mask = np.asarray(given)
        if mask.dtype != bool or mask.shape != (n_features,):
            raise InvalidInputError(
                f"the mask of {name} has shape {mask.shape} and dtype {mask.dtype}; it must be a boolean array of "
                f"shape ({n_features},), one for each feature."
            )
        columns.append(np.tile(mask, n_species))
    return np.stack(columns)
