"""Settings of a fit."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .._arrays import as_count, as_number
from .._errors import InvalidInputError
from . import _active_set
from ._active_set import ActiveFeatures
from ._rows import KINDS
from ._scores import Loss
from ._structures import checked_loss

# For larger powers, rounding of x . x' = 1 is visible in the kernel.
_LARGEST_ZETA = 1000.0

_DEEPEST = 50

#: Kinds of models: the weights multiply kernels to an active set, or features.
Kind = Literal["sparse_kernel", "linear"]


#: The regularizer is chosen by the labels.
AUTO: Literal["auto"] = "auto"

#: mu, or "auto".
Regularizer: TypeAlias = float | Literal["auto"]


@dataclass(frozen=True)
class FitSettings:
    """Options of `SparseKernelModel.fit` and the other fits, except structures and descriptor; see there.

    If `noise`, the facts of a `Noise`, is given, the loss is "noise", and the regularizer is 1 / delta^2.
    """

    kind: Kind
    regularizer: Regularizer
    n_active: int | Mapping[Any, int] | None = None
    active_set: ArrayLike | ActiveFeatures | None = None
    zeta: float = 4
    loss: Loss = "total"
    noise: Mapping[str, Any] | None = None
    weights: ArrayLike | str | None = None
    sigmas: ArrayLike | str | None = None
    energy_key: str | None = None
    force_key: str | None = None
    virial_key: str | None = None
    group_key: str = "config_type"
    baseline: Mapping[Any, float] | str | None = None
    hold: Sequence[Any] = ()
    seed: int = 0
    provenance: Mapping[str, Any] | None = None
    memory: int | None = None
    n_threads: int = 0

    def __post_init__(self) -> None:
        """Check everything that can be checked without structures."""
        as_count("n_threads", self.n_threads)
        _check_regularizer(self.regularizer)
        if self.noise is None:
            checked_loss(self.loss)
        checked_provenance(self.provenance)
        if self.weights is not None and self.sigmas is not None:
            raise InvalidInputError("weights and sigmas were given; give only one of them: a weight is 1 / sigma^2.")
        for what, labels in (
            ("energy_key", "energies"),
            ("force_key", "forces"),
            ("virial_key", "virials or stresses"),
        ):
            if (key := getattr(self, what)) is not None and not isinstance(key, str):
                raise InvalidInputError(f"{what} is {key!r}; give the name of the {labels} of structures, or None.")
        if isinstance(self.baseline, str) and self.baseline != "isolated":
            raise InvalidInputError(f"the baseline is {self.baseline!r}; give energies of elements, or 'isolated'.")
        if self.kind == "linear":
            return
        if (self.n_active is None) == (self.active_set is None):
            given = "neither" if self.n_active is None else "both"
            raise InvalidInputError(
                f"got {given} of n_active and active_set; give either n_active, the size of the active set, or the set."
            )
        as_zeta(self.zeta)
        _active_set.as_seed(self.seed)
        if isinstance(self.n_active, Mapping):
            for count in self.n_active.values():
                as_count("n_active", count)
        elif self.n_active is not None:
            _active_set.as_size(self.n_active)

    @property
    def largest_active(self) -> int:
        """Largest possible number of active environments of one species."""
        assert self.n_active is not None
        counts = self.n_active.values() if isinstance(self.n_active, Mapping) else [self.n_active]
        return max(counts, default=0)

    @property
    def noise_scale(self) -> float | None:
        """Variance of the noise of labels times their weight; None if it is not known."""
        return None if self.noise is None else 1.0

    def noise_section(self) -> dict[str, float] | None:
        """Return the section ``noise`` of a model file, if labels have noise: see `StructureModel.noise`."""
        if self.noise is None:
            return None
        assert self.regularizer != AUTO
        grow = () if self.noise["convention"] == "plain" else ("energy", "virial")  # depend on the size of a structure
        kinds = [kind for kind in KINDS if isinstance(self.noise[kind], float) and kind not in grow]
        deviations = {kind: self.noise[kind] for kind in kinds}
        return {"prior_variance": 1.0 / self.regularizer, **deviations}

    def identity(self) -> dict[str, Any]:
        """Return all settings that the bits of the model depend on, for JSON."""
        active: Any = self.n_active
        if isinstance(active, Mapping):
            active = {str(s): int(count) for s, count in active.items()}
        facts: dict[str, Any] = {
            "model": self.kind,
            "regularizer": self.regularizer if self.regularizer == AUTO else float(self.regularizer),
            "loss": self.loss,
            "weights": _plain(self.weights),
            "sigmas": _plain(self.sigmas),
            "noise": None if self.noise is None else dict(self.noise),
            "energy_key": self.energy_key,
            "force_key": self.force_key,
            "virial_key": self.virial_key,
            "group_key": self.group_key,
            "baseline": self._plain_baseline(),
            "hold": [_digest(structure) for structure in self.hold],
            "provenance": checked_provenance(self.provenance),
        }
        if self.kind == "sparse_kernel":
            facts |= {"n_active": active, "active_set": _plain(self.active_set)}
            facts |= {"zeta": float(self.zeta), "seed": int(self.seed)}
        return facts

    def _plain_baseline(self) -> Any:
        if not isinstance(self.baseline, Mapping):
            return self.baseline
        energies = {str(s): as_number("baseline", energy) for s, energy in self.baseline.items()}
        wrong = [s for s, energy in energies.items() if not math.isfinite(energy)]
        if wrong:
            raise InvalidInputError(f"the baseline of {wrong[0]} is {energies[wrong[0]]}; it must be finite.")
        return energies


def _digest(structure: Any) -> str:
    """Return a hash of a structure."""
    arrays = (structure.numbers, structure.positions, structure.cell.array, structure.pbc)
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


def _plain(given: Any) -> Any:
    if isinstance(given, ActiveFeatures):
        return {"features": given.digest()}
    return given if given is None or isinstance(given, str) else np.asarray(given).tolist()


def _check_regularizer(given: Any) -> None:
    if isinstance(given, str):
        if given != AUTO:
            raise InvalidInputError(f"the regularizer is {given!r}; give a positive number, or 'auto'.")
        return
    as_positive("regularizer", given)


def as_positive(name: str, value: Any) -> float:
    """Check a finite positive number."""
    number = as_number(name, value)
    if not (0.0 < number < float("inf")):
        raise InvalidInputError(f"{name} is {number:g}; it must be finite and positive.")
    return number


def as_zeta(value: Any) -> float:
    """Check a power of the kernel."""
    zeta = as_positive("zeta", value)
    if zeta > _LARGEST_ZETA:
        raise InvalidInputError(f"zeta is {zeta:g}; it must be at most {_LARGEST_ZETA:g}.")
    return zeta


def checked_provenance(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Check facts of the caller for the provenance, and return them as JSON represents them."""
    if given is not None and not isinstance(given, Mapping):
        raise InvalidInputError(f"provenance is a {type(given).__name__}; give a dictionary.")
    try:
        text = json.dumps(dict(given or {}), allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(f"provenance cannot be written as JSON ({error}); use numbers and strings.") from error
    facts = dict(json.loads(text))
    _check_plain(facts, 0)
    return facts


def _check_plain(value: Any, depth: int) -> None:
    """Raise for values that other readers of JSON may not support."""
    if depth > _DEEPEST:
        raise InvalidInputError(f"provenance is nested more than {_DEEPEST} deep; make it flatter.")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise InvalidInputError("provenance has an integer of more than 64 bits; make it a string.")
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        _check_plain(child, depth + 1)
