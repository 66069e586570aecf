"""What a model file says, and the model from it: nothing is described here."""

from __future__ import annotations

import copy
import json
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array
from .._errors import InvalidInputError
from .._files import replacing
from .._html import table
from .._rigidity import Rigidity
from ..models import _archive
from ..models._basis import SparseKernelBasis
from ..models._calibration import Calibration, ForceCalibration
from ..models._conformal import Conformal
from ..models._reference import Reference
from ..models._rows import KINDS
from ..models._scores import LOSS_NAMES, Loss

if TYPE_CHECKING:
    from ..descriptors._descriptor import Descriptor

AnyModel = TypeVar("AnyModel", bound="StoredModel")


class StoredModel:
    """A model of features, with what its file says of it: see `StructureModel`."""

    _model: _core.Model
    _outside: Descriptor | None

    def __init__(self) -> None:
        raise InvalidInputError(f"{type(self).__name__} is not built directly; use its fit, or load_model.")

    @classmethod
    def _of(cls: type[AnyModel], core: _core.Model, descriptor: Descriptor | None = None) -> AnyModel:
        model = cls.__new__(cls)
        model._model, model._outside = core, descriptor
        return model

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model file, whole or not at all; `load_model` reads it."""
        with replacing(Path(path)) as file:
            file.write(self._to_bytes())

    @cached_property
    def rigidity(self) -> Rigidity:
        """The rigidity of size M that takes rows of `phi`, and sums of them."""
        return Rigidity._from_factor(
            self._model.factor,
            self.regularizer,
            self._facts["method"],
            weights=self._model.weights,
            prior=_archive.whole_prior(self._model, self.species),
        )

    @property
    def regularizer(self) -> float:
        """Mu."""
        return float(self._facts["regularizer"])

    @property
    def loss(self) -> Loss:
        """``"total"``, ``"per_atom"`` or ``"noise"``: the loss that sets the scale of the rigidities."""
        loss: Loss = self._facts["loss"]
        return loss

    @property
    def noise(self) -> dict[str, float | None] | None:
        """Standard deviations that the labels of the fit had: ``energy`` (eV), ``force`` (eV/Å), ``virial`` (eV).

        None for a kind that was not used, or whose deviations are not one number for all; ``prior_variance`` is
        delta^2, 1 / mu. None altogether unless the model was fitted with `sigma`, and its `loss` is ``"noise"``.
        """
        if "noise" not in self._facts:
            return None
        return {name: self._facts["noise"].get(name) for name in ("prior_variance", *KINDS)}

    @property
    def hypers(self) -> dict[str, Any] | None:
        """Parameters of featomic's ``SoapPowerSpectrum``; None for a model that was built from arrays."""
        descriptor = self._facts["descriptor"]
        if descriptor is None or descriptor["kind"] != "soap":
            return None
        hypers: dict[str, Any] = copy.deepcopy(descriptor["hypers"])
        return hypers

    @property
    def descriptor(self) -> dict[str, Any] | None:
        """What the model says of its descriptor: kind, parameters, error of its radial table; None for arrays."""
        facts: dict[str, Any] | None = copy.deepcopy(self._facts["descriptor"])
        return facts

    @property
    def n_features(self) -> int:
        """D, the number of folded features of an environment."""
        return int(self._facts["n_features"])

    @property
    def active_features(self) -> dict[int, Array] | None:
        """Features of the active environments of each species, in the order of the columns of `phi`; None: linear."""
        basis = _archive.basis_of(self._model)
        return basis.active if isinstance(basis, SparseKernelBasis) else None

    @property
    def active_environments(self) -> NDArray[np.int64] | None:
        """Which environments are active, shape (M, 2), in the order of the columns of `phi`; None if nobody knows.

        Structure and atom, counted from 0 in the training set as it was given (of rows that were kept: in that of the
        fit that kept them; of `from_arrays`: in ascending order of the structures' numbers). Those from elsewhere have
        negative numbers of structures: -1 - k is structure k of `active_from`, and (-1, -1) was taken from another
        model.
        """
        return _archive.active_environments(self._model)

    @property
    def species(self) -> tuple[int, ...]:
        """Atomic numbers that the model knows, ascending."""
        return tuple(self._facts["species"])

    @property
    def has_energies(self) -> bool:
        """Whether the model was fitted to energies, and predicts them."""
        return self._facts["baseline"] is not None

    @property
    def has_reference(self) -> bool:
        """Whether the model knows how its training environments score, and gives percentiles and verdicts."""
        return "reference" in self._facts

    @property
    def n_members(self) -> int:
        """Members of the committee whose weights the model has beside its own, and whose spread it gives."""
        return self._model.n_members

    @property
    def verdict_limits(self) -> dict[str, float] | None:
        """In percent of the training environments, what is ``loose`` and ``unlike``; None without a reference."""
        limits: dict[str, float] | None = copy.deepcopy(self._facts.get("reference"))
        return limits

    @property
    def baseline(self) -> dict[int, float] | None:
        """Energy of an atom of each atomic number that was taken off before fitting; None without energies."""
        return dict(zip(self.species, self._facts["baseline"], strict=True)) if self.has_energies else None

    @property
    def calibration(self) -> Calibration | None:
        """What `calibrate` came to; None for a model that was not calibrated."""
        facts = self._facts.get("calibration")
        return None if facts is None else Calibration.from_facts(facts)

    @property
    def force_calibration(self) -> ForceCalibration | None:
        """What `calibrate` came to for forces; None for a model that was not calibrated with them."""
        facts = self._facts.get("force_calibration")
        return None if facts is None else ForceCalibration.from_facts(facts)

    @property
    def conformal(self) -> Conformal | None:
        """The conformal intervals of `calibrate`; None for a model without."""
        facts = self._facts.get("conformal")
        return None if facts is None else Conformal.from_facts(facts)

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the model comes from: versions, counts, how the active set was chosen, and the file if known."""
        return copy.deepcopy(dict(self._facts["provenance"]))

    @cached_property
    def _facts(self) -> dict[str, Any]:
        """What the model's text says."""
        facts: dict[str, Any] = json.loads(self._model.text)
        return facts

    @cached_property
    def _reference(self) -> Reference | None:
        return Reference.from_arrays(self._model.parts()[1]) if self.has_reference else None

    @property
    def cutoff(self) -> float | None:
        """Range of the environments in Å; None if it is not known."""
        return None if self._facts["descriptor"] is None else self._facts["descriptor"].get("cutoff")

    def _to_bytes(self) -> bytes:
        return _archive.to_bytes(self._model)

    def __reduce__(self) -> tuple[object, ...]:
        return _from_pickle, (type(self), self._to_bytes(), self._outside)

    def _repr_html_(self) -> str:
        rows = [
            ("species", self._shown_species),
            ("features", self.n_features),
            ("weights", self._model.size),
            ("regularizer", f"{self.regularizer:g}"),
            ("loss", LOSS_NAMES[self.loss]),
            ("predicts energies", "yes" if self.has_energies else "no"),
            ("condition number of R", f"{self._model.factor.condition_number:.1e}"),
            ("training structures", self.provenance.get("n_structures", "unknown")),
        ]
        return table(type(self).__name__, rows)

    @property
    def _shown_species(self) -> str:
        return ", ".join(map(str, self.species)) if self.descriptor is None else _symbols(self.species)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(species=[{self._shown_species}], n_features={self.n_features}, "
            f"size={self._model.size}, regularizer={self.regularizer:g}, loss={self.loss!r}, "
            f"has_energies={self.has_energies})"
        )


def _from_pickle(kind: type[AnyModel], content: bytes, descriptor: Descriptor | None) -> AnyModel:
    return kind._of(_core.Model.from_bytes(content, "the pickled model"), descriptor)


def _symbols(species: tuple[int, ...]) -> str:
    from ..descriptors._elements import symbols

    return symbols(species)
