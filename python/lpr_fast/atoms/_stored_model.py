"""Models and the facts in their files, without descriptors."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array, as_number
from .._errors import InvalidInputError
from .._files import replacing
from .._html import table
from .._rigidity import Rigidity
from .._species import as_species, symbol
from ..models import _archive
from ..models._basis import SparseKernelBasis
from ..models._calibration import Calibration, ForceCalibration
from ..models._conformal import Conformal
from ..models._reference import Reference
from ..models._rows import KINDS
from ..models._scores import Loss
from ..models._split import SpeciesSplit, species_split

if TYPE_CHECKING:
    from ..descriptors._descriptor import Descriptor

AnyModel = TypeVar("AnyModel", bound="StoredModel")


class StoredModel:
    """A model of features with the facts in its file: see `StructureModel`."""

    _model: _core.Model
    _outside: Descriptor | None

    def __init__(self) -> None:
        raise InvalidInputError(f"{type(self).__name__}() builds nothing; use its fit, or load_model.")

    @classmethod
    def _of(cls: type[AnyModel], core: _core.Model, descriptor: Descriptor | None = None) -> AnyModel:
        model = cls.__new__(cls)
        model._model, model._outside = core, descriptor
        return model

    def save(self, path: str | PathLike[str]) -> None:
        """Write a model file for `load_model`. The file is written completely or not at all.

        Parameters
        ----------
        path : path
            The file, usually with the suffix ``.lpr``.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        with replacing(Path(path)) as file:
            file.write(self._to_bytes())

    @cached_property
    def rigidity(self) -> Rigidity:
        """The `Rigidity` of size M, for rows of `phi` and sums of them."""
        return Rigidity._from_factor(
            self._model.factor,
            self.regularizer,
            self._facts["method"],
            weights=self._model.weights,
            prior=_archive.whole_prior(self._model, self.species),
        )

    @property
    def regularizer(self) -> float:
        """The regularizer mu."""
        return float(self._facts["regularizer"])

    @property
    def loss(self) -> Loss:
        """The loss that sets the scale of the rigidities: ``"total"``, ``"per_atom"`` or ``"noise"``."""
        loss: Loss = self._facts["loss"]
        return loss

    @property
    def noise(self) -> dict[str, float | None] | None:
        """Standard deviations of the labels of the fit: ``energy`` (eV), ``force`` (eV/Å), ``virial`` (eV).

        A kind is None if it was not used, or if its standard deviation is not a single number; ``prior_variance`` is
        delta^2 = 1 / mu. The property is None unless the model was fitted with `sigma`, that is, `loss` is ``"noise"``.
        """
        if "noise" not in self._facts:
            return None
        return {name: self._facts["noise"].get(name) for name in ("prior_variance", *KINDS)}

    @property
    def hypers(self) -> dict[str, Any] | None:
        """Parameters of featomic's ``SoapPowerSpectrum``; None for models of other features."""
        descriptor = self._facts["descriptor"]
        if descriptor is None or descriptor["kind"] != "soap":
            return None
        hypers: dict[str, Any] = copy.deepcopy(descriptor["hypers"])
        return hypers

    @property
    def descriptor(self) -> dict[str, Any] | None:
        """Facts about the descriptor: kind, parameters, error of the radial table; None for models from arrays."""
        facts: dict[str, Any] | None = copy.deepcopy(self._facts["descriptor"])
        return facts

    @property
    def n_features(self) -> int:
        """D, the number of folded features of an environment."""
        return int(self._facts["n_features"])

    @property
    def active_features(self) -> dict[int, Array] | None:
        """Features of the active environments of each species, in the order of the columns of `phi`.

        None for linear models.
        """
        basis = _archive.basis_of(self._model)
        return basis.active if isinstance(basis, SparseKernelBasis) else None

    @property
    def active_environments(self) -> NDArray[np.int64] | None:
        """Active environments as pairs (structure, atom), shape (M, 2), in the order of the columns of `phi`.

        Numbers are counted from 0 in the given training set (with kept rows, in that of the fit that kept them; for
        `from_arrays`, in ascending order of the structures' numbers). Negative numbers of structures are of other
        origin: -1 - k is structure k of `active_from`, and (-1, -1) comes from another model. None if the pairs are not
        known.
        """
        return _archive.active_environments(self._model)

    @property
    def species(self) -> tuple[int, ...]:
        """Atomic numbers of the species that the model knows, ascending."""
        return tuple(self._facts["species"])

    @property
    def has_energies(self) -> bool:
        """Whether the model was fitted to energies and predicts them."""
        return self._facts["baseline"] is not None

    @property
    def has_reference(self) -> bool:
        """Whether the model contains the scores of its training environments, and gives percentiles and verdicts."""
        return "reference" in self._facts

    @property
    def kernel_power(self) -> float:
        """Power of the kernel that compares normalised features: zeta, or 1 for linear models."""
        return float(self._facts.get("zeta") or 1.0)

    @property
    def n_members(self) -> int:
        """Number of members, of a committee or an ensemble, whose spread the model gives."""
        return self._model.n_members

    @property
    def verdict_limits(self) -> dict[str, float] | None:
        """Percentiles that limit the verdicts ``loose`` and ``unlike``; None without a reference."""
        limits: dict[str, float] | None = copy.deepcopy(self._facts.get("reference"))
        return limits

    @property
    def baseline(self) -> dict[int, float] | None:
        """Energy per atom of each atomic number, subtracted before the fit; None without energies."""
        return dict(zip(self.species, self._facts["baseline"], strict=True)) if self.has_energies else None

    @property
    def calibration(self) -> Calibration | None:
        """The calibration of energies by `calibrate`; None for a model that is not calibrated."""
        facts = self._facts.get("calibration")
        return None if facts is None else Calibration.from_facts(facts)

    @property
    def force_calibration(self) -> ForceCalibration | None:
        """The calibration of forces by `calibrate`; None for a model that was not calibrated with forces."""
        facts = self._facts.get("force_calibration")
        return None if facts is None else ForceCalibration.from_facts(facts)

    @property
    def conformal(self) -> Conformal | None:
        """The conformal intervals of `calibrate`; None for a model without intervals."""
        facts = self._facts.get("conformal")
        return None if facts is None else Conformal.from_facts(facts)

    @property
    def provenance(self) -> dict[str, Any]:
        """Origin of the model: versions, counts, choice of the active set, and the training file if known."""
        return copy.deepcopy(dict(self._facts["provenance"]))

    @cached_property
    def _facts(self) -> dict[str, Any]:
        """The facts in the model file."""
        facts: dict[str, Any] = json.loads(self._model.text)
        return facts

    @cached_property
    def _reference(self) -> Reference | None:
        return Reference.from_arrays(self._model.parts()[1]) if self.has_reference else None

    @property
    def _unlike_limits(self) -> dict[int, float]:
        """Residual above which an atom of each species is unlike; empty without a reference, and for linear models."""
        return {} if self._reference is None else self._reference.unlike_limits(self._facts["reference"]["unlike"])

    @property
    def cutoff(self) -> float | None:
        """Radius of the environments in Å; None if it is not known."""
        return None if self._facts["descriptor"] is None else self._facts["descriptor"].get("cutoff")

    def species_split(self) -> SpeciesSplit | None:
        """Return how well the energies determine the split of totals between the species.

        Returns
        -------
        SpeciesSplit or None
            None for models that hold no means of species, such as those of a single species.
        """
        facts = self.provenance
        parts = self._model.factor.held()
        if parts is None or "held_species" not in facts:
            return None
        species = tuple(facts["held_species"])
        means = parts[0][: len(species)]
        return species_split(species, self.rigidity.covariance(means), self._typical_variances())

    def _typical_variances(self) -> tuple[float, float] | None:
        """Return median variances of the training atoms over the species, without and with held rows, if known."""
        if self._reference is None or "lpr_held" not in self._reference.columns:
            return None
        medians = [[self.training_quantile(c, 0.5, s) for s in self.species] for c in ("lpr", "lpr_held")]
        plain, with_held = (float(np.median(self.regularizer / np.array(lprs))) for lprs in medians)
        return plain, with_held

    def training_quantile(self, column: str, share: float, species: int | str) -> float:
        """Return a quantile of a score over the training environments of a species.

        Parameters
        ----------
        column : str
            Name of the score: ``"lpr"``, ``"variance"`` or ``"residual"``.
        share : float
            Share of the environments below the quantile, between 0 and 1.
        species : int or str
            Atomic number or symbol.

        Returns
        -------
        float
            Accurate to half a thousandth, relative.

        Raises
        ------
        InvalidInputError
            For an unknown score or species, a share out of range, and a model without a reference.
        """
        if self._reference is None:
            raise InvalidInputError(
                "this model has no scores of its training environments; use with_reference to score them."
            )
        wanted = as_number("share", share)
        if not 0.0 <= wanted <= 1.0:
            raise InvalidInputError(f"share is {wanted:g}; it must be between 0 and 1.")
        (number,) = as_species("species", [species]).tolist()
        if number not in self.species:
            known = ", ".join(map(str, self.species))
            raise InvalidInputError(f"species is {species}, but the model knows only {known}; give one of these.")
        if column not in self._reference.columns:
            raise InvalidInputError(f"column is {column!r}; it must be one of {', '.join(self._reference.columns)}.")
        return self._reference.quantile(column, wanted, number)

    def _to_bytes(self) -> bytes:
        return _archive.to_bytes(self._model)

    def __reduce__(self) -> tuple[object, ...]:
        return _from_pickle, (type(self), self._to_bytes(), self._outside)

    def __str__(self) -> str:
        return "\n".join(self._about())

    def _repr_html_(self) -> str:
        return table(type(self).__name__, [(line[:10].strip(), line[10:]) for line in self._about()])

    def _about(self) -> Iterator[str]:
        from .about._about import about

        return about(self)

    def __repr__(self) -> str:
        name = str if self.descriptor is None else symbol
        return (
            f"{type(self).__name__}(species=[{', '.join(map(name, self.species))}], n_features={self.n_features}, "
            f"size={self._model.size}, regularizer={self.regularizer:g}, loss={self.loss!r}, "
            f"has_energies={self.has_energies})"
        )


def _from_pickle(kind: type[AnyModel], content: bytes, descriptor: Descriptor | None) -> AnyModel:
    return kind._of(_core.Model.from_bytes(content, "the pickled model"), descriptor)
