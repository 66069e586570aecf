"""Rigidities of parts of local predictions of linear models."""

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
    """What a model says of components of the local predictions of atoms, each of shape (n_atoms, n_components).

    Attributes
    ----------
    names : tuple of str
        The components.
    lpr : numpy.ndarray
        1 / (phi_c^T H^-1 phi_c), where phi_c is phi with zeros outside the component. These do not add up to the LPR of
        the whole: the component's predictions are correlated.
    lpr_held : numpy.ndarray or None
        The same while what the model holds is held; None for models that hold nothing.
    local_energy : numpy.ndarray or None
        phi_c . c: these do add up, to the local energy without the baseline. None for models without energies.
    """

    names: tuple[str, ...]
    lpr: Array
    lpr_held: Array | None
    local_energy: Array | None


def soap_masks(descriptor: Mapping[str, Any] | None, species: tuple[int, ...], by: By) -> dict[str, Mask]:
    """Features of each component of a model's power spectra."""
    from ..descriptors._soap_layout import SoapLayout

    if descriptor is None or descriptor["kind"] != "soap":
        raise InvalidInputError(
            "this model's features are no power spectra of the package; give score_components masks of your own, one "
            "for each component."
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
    """Scores of all components, piece by piece."""
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
    """Masks of the columns of phi: those of the features, for each centre species."""
    if not isinstance(masks, Mapping) or not masks:
        raise InvalidInputError("masks name no component; give a dictionary such as {'l=0': mask}.")
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
