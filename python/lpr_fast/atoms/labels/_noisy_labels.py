"""Labels of frames with standard deviations: energies, forces and virials."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._arrays import Array
from ..._errors import InvalidInputError
from ...models._rows import FORCE, KINDS, VIRIAL
from ...models._scores import Loss
from ...models._settings import AUTO, FitSettings, Regularizer, as_positive
from ._derivative_labels import FORCE_NAMES, UsedDerivatives, derivative_labels, names_of_forces
from ._noise import Noise, as_noise

if TYPE_CHECKING:
    from ase import Atoms

# Names of the labels in messages, and the options that give their names in frames.
_PLURAL = {"energy": "energies", "force": "forces", "virial": "virials or stresses"}
_OPTIONS = {kind: f"{kind}_key, --{kind}-key" for kind in KINDS}


def weighting(
    sigma: Noise | Mapping[str, Any] | None,
    delta: float | Literal["auto"],
    *,
    regularizer: Regularizer,
    loss: Loss,
    weights: ArrayLike | str | None,
    sigmas: ArrayLike | str | None,
    group_key: str,
) -> dict[str, Any]:
    """Return regularizer, loss, weights and noise for `FitSettings`; the noise determines the others if it is given.

    Raises
    ------
    InvalidInputError
        For noise together with options that it replaces, and for a delta without noise.
    """
    if sigma is None:
        if delta != AUTO:
            raise InvalidInputError(
                f"delta is {delta!r}, but sigma was not given; give standard deviations of the labels (sigma, "
                "--sigma-energy), or the regularizer in place of delta."
            )
        return {"regularizer": regularizer, "loss": loss, "weights": weights, "sigmas": sigmas}
    is_given = {
        "regularizer": regularizer != AUTO,
        "loss": loss != "total",
        "weights": weights is not None,
        "sigmas": sigmas is not None,
    }
    if replaced := [name for name, was_given in is_given.items() if was_given]:
        name = replaced[0]
        raise InvalidInputError(
            f"sigma and {name} were given; leave {name} out: with sigma, the weight of a label is 1 / sigma^2, and the "
            "regularizer is 1 / delta^2."
        )
    mu = AUTO if delta == AUTO else 1.0 / as_positive("delta", delta) ** 2
    return {"regularizer": mu, "loss": "noise", "noise": as_noise(sigma, group_key=group_key).facts()}


@dataclass(frozen=True)
class FrameLabels:
    """Labels of a frame that a fit uses.

    Attributes
    ----------
    energy_sigma : float
        Standard deviation of the energy; infinite if the energy is not used.
    derivatives : UsedDerivatives
        Forces and virial.
    unused : list of str
        Kinds of labels of the frame that have no standard deviation.
    """

    energy_sigma: float
    derivatives: UsedDerivatives
    unused: list[str]


@dataclass(frozen=True)
class LabelSource:
    """Names of labels and their standard deviations. Without noise there is none: energies are the only labels."""

    noise: Noise
    energy_key: str | None
    force_key: str | None
    virial_key: str | None

    @classmethod
    def of(cls, settings: FitSettings) -> LabelSource | None:
        """Return the source of a fit; None without noise."""
        if settings.noise is None:
            return None
        noise = as_noise(settings.noise, group_key=settings.group_key)
        return cls(noise, settings.energy_key, settings.force_key, settings.virial_key)

    def of_frame(self, frame: Atoms, name: str, *, has_energy: bool) -> FrameLabels:
        """Return the labels of a frame that are used.

        In a model without energies (``energy_key=None``) the standard deviation of an energy is used all the same: the
        row of the energy counts for the rigidity.

        Raises
        ------
        InvalidInputError
            For labels that cannot be used.
        """
        labels = derivative_labels(frame, self.force_key, self.virial_key, name)
        there = {"energy": has_energy, "force": labels.forces is not None, "virial": labels.virial is not None}
        asked = [kind for kind in KINDS if there[kind] or (kind == "energy" and self.energy_key is None)]
        noise = self.noise.of(frame, labels=asked, name=name)
        unused = [kind for kind in KINDS if there[kind] and getattr(noise, kind) is None]
        sigma = np.inf if noise.energy is None else noise.energy
        return FrameLabels(sigma, labels.used(noise, len(frame)), unused)


class NoisyLabels:
    """Standard deviations of energies and numbers of other labels, collected one frame at a time."""

    def __init__(self, source: LabelSource) -> None:
        self._source = source
        self._sigmas, self._n_derivatives = array("d"), array("q")
        self._counts: Counter[str] = Counter()
        self._unused: Counter[str] = Counter()
        self._names_of_forces: set[str] = set()
        self._unused_tables = dict.fromkeys(source.noise.tables)
        self._lacks_mask = source.noise.mask_key != Noise.mask_key

    def add(self, frame: Atoms, number: int, *, has_energy: bool) -> None:
        """Add the labels of the next frame."""
        found = self._source.of_frame(frame, f"frame {number}", has_energy=has_energy)
        kinds = found.derivatives.kinds
        self._sigmas.append(found.energy_sigma)
        self._n_derivatives.append(len(kinds))
        self._counts["energy"] += int(has_energy and np.isfinite(found.energy_sigma))
        self._counts["force"] += int(np.count_nonzero(kinds == FORCE))
        self._counts["virial"] += int(np.count_nonzero(kinds == VIRIAL))
        self._unused.update(found.unused)
        self._unused_tables.pop(self._source.noise.group_of(frame), None)
        self._lacks_mask &= self._source.noise.mask_key not in frame.arrays
        if not self._counts["force"]:
            self._names_of_forces.update(names_of_forces(frame))

    @property
    def sigmas(self) -> Array:
        """Standard deviations of the energies, infinite for unused ones: (n_frames,)."""
        return np.array(self._sigmas)

    @property
    def n_derivatives(self) -> NDArray[np.int64]:
        """Numbers of used components of forces and virials: (n_frames,)."""
        return np.array(self._n_derivatives, dtype=np.int64)

    def energies(self, found: Array | None, *, optional: bool) -> Array | None:
        """Return the energies of frames that are used, NaN for others; None for a model without energies.

        Raises
        ------
        InvalidInputError
            If no label is used, or, unless they are `optional`, if no frame has a label of a kind that has a standard
            deviation.
        """
        if self._source.energy_key is None:
            if not np.isfinite(self.sigmas).any() and not self.n_derivatives.any():
                raise InvalidInputError(
                    "sigma has no energy, and there are no energies to fit; give a standard deviation of energies."
                )
            return None
        if not optional:
            self._refuse_missing()
        energies = np.full(len(self._sigmas), np.nan) if found is None else found
        return np.where(np.isfinite(self.sigmas), energies, np.nan)

    def weights(self) -> Array:
        """Return one for frames with a used label, otherwise zero: (n_frames,)."""
        return np.where(np.isfinite(self.sigmas) | (self.n_derivatives > 0), 1.0, 0.0)

    def facts(self) -> dict[str, Any]:
        """Return facts for the provenance: numbers of used labels, and unused labels, tables and masks."""
        facts: dict[str, Any] = {"n_labels": {kind: self._counts[kind] for kind in KINDS}}
        if self._unused_tables:
            facts["unused_tables"] = list(self._unused_tables)
        if self._lacks_mask:
            facts["unused_mask"] = self._source.noise.mask_key
        names = {"energy": "energies", "force": "forces", "virial": "virials"}
        return facts | {f"unused_{names[kind]}_of": count for kind, count in self._unused.items()}

    def _refuse_missing(self) -> None:
        wanted = [kind for kind in KINDS if getattr(self._source.noise, kind) is not None]
        missing = [kind for kind in wanted if not self._counts[kind] and not self._may_lack(kind)]
        if not missing and any(self._counts.values()):
            return
        kind = missing[0] if missing else "energy"
        key = getattr(self._source, f"{kind}_key")
        named = "" if key is None else f" named {key!r}"
        others = sorted(self._names_of_forces) if kind == "force" else []
        if set(others) & set(FORCE_NAMES if key is None else [key]):
            raise InvalidInputError(
                "sigma is given for forces, but all forces are NaN, masked, or of groups without a sigma of forces; "
                "check the labels and the mask (mask_key, --mask-key), or leave forces out of sigma."
            )
        hint = f" (there are some named {others[0]!r})" if others else ""
        raise InvalidInputError(
            f"sigma is given for {_PLURAL[kind]}, but no frame has any{named}{hint}; give the right name "
            f"({_OPTIONS[kind]}), or leave them out of sigma."
        )

    def _may_lack(self, kind: str) -> bool:
        """Return whether the labels may be missing: gap_fit has standard deviations of all kinds by default.

        Forces of another name are an error all the same.
        """
        return self._source.noise.convention == "gap" and not (kind == "force" and self._names_of_forces)
