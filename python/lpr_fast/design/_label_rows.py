"""Rows of the labels of structures (energies, forces, virials), with the weights of their noise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .._arrays import Array
from .._errors import InvalidInputError
from ..atoms._model import StructureModel
from ..atoms.labels._noise import KINDS, Noise, as_noise
from ..atoms.predictions._described import described

if TYPE_CHECKING:
    from ase import Atoms

#: Standard deviations of the labels of candidates, as `sigma` of a fit.
Sigma: TypeAlias = Noise | Mapping[str, Any]


@dataclass(frozen=True)
class Labels:
    """Labels that structures would add to a model.

    Attributes
    ----------
    model : StructureModel
        The model.
    noise : Noise or None
        Noise of the labels; None: energies only, with weight 1 in the model's loss.
    n_threads : int
        See `Rigidity`.
    """

    model: StructureModel
    noise: Noise | None
    n_threads: int

    @classmethod
    def of(cls, model: StructureModel, sigma: Sigma | None, n_threads: int) -> Labels:
        """Labels of the given noise, or of the noise that the model was fitted with.

        Raises
        ------
        InvalidInputError
            For a noise that cannot be used.
        """
        if sigma is not None:
            return cls(model, as_noise(sigma, group_key="config_type"), n_threads)
        return cls(model, noise_like(model), n_threads)

    def rows(self, frame: Atoms, total: Array) -> Array:
        """Rows of a structure's labels times the roots of their weights, (k, M), from phi summed over its atoms."""
        unit = len(frame) if self.model.loss == "per_atom" else 1
        if self.noise is None:
            return total[None, :] / unit
        of_frame = self.noise.of(frame)
        scale = self._scale(of_frame.energy)
        rows = [np.zeros((0, len(total)))]
        if of_frame.energy is not None:
            rows.append(total[None, :] * (scale / of_frame.energy / unit))
        if of_frame.force is not None or of_frame.virial is not None:
            gradients = self.model.gradient_rows(frame, n_threads=self.n_threads)
            for found, sigma in ((gradients.forces, of_frame.force), (gradients.virials, of_frame.virial)):
                if sigma is not None:
                    is_label = ~np.isnan(sigma.ravel())
                    rows.append(found[is_label] * (scale / sigma.ravel()[is_label])[:, None])
        return np.concatenate(rows)

    def _scale(self, energy: float | None) -> float:
        """The standard deviation of a label of weight 1."""
        if self.model.loss == "noise":
            return 1.0
        if energy is None:
            raise InvalidInputError(
                f"sigma has no energy, but the model has a loss on energies ({self.model.loss}), which sets the "
                "weights of "
                "the other labels; give sigma of the energy too."
            )
        return energy


def described_totals(model: StructureModel, frames: Iterable[Atoms], what: str, n_threads: int) -> tuple[Array, Array]:
    """Phi summed over the atoms of each structure, (n, M), and the means of its features, (n, D); errors say `what`."""
    phi: list[Array] = []
    features: list[Array] = []
    for part in described(model, frames, what, n_threads):
        bounds = np.flatnonzero(np.diff(part.scores.frame, prepend=-1, append=-1))
        for first, last in pairwise(bounds.tolist()):
            if part.scores.frame[first] == len(phi):
                phi.append(np.zeros(part.phi.shape[1]))
                features.append(np.zeros(part.features.shape[1]))
            phi[-1] += part.phi[first:last].sum(axis=0)
            features[-1] += part.features[first:last].sum(axis=0) / int(part.n_together[first])
    return np.array(phi).reshape(len(phi), model.rigidity.size), np.array(features).reshape(len(phi), model.n_features)


def noise_like(model: StructureModel) -> Noise | None:
    """The noise of further labels of a model, as in its fit; None for models without noise.

    Raises
    ------
    InvalidInputError
        If each of its labels had its own standard deviation.
    """
    if model.noise is None:
        return None
    given: dict[str, Any] = dict(model.provenance.get("noise") or model.noise)
    counts = model.provenance.get("n_labels", {})
    numbers = {kind: given[kind] if isinstance(given[kind], float) and counts.get(kind, 1) else None for kind in KINDS}
    if not any(numbers.values()):
        raise InvalidInputError(
            "each label of the model had its own standard deviation, so those of candidates are unknown; give sigma "
            "(--sigma-energy, --sigma-force, --sigma-virial)."
        )
    given.pop("prior_variance", None)
    return as_noise(given | numbers, group_key="config_type")
