"""Preparation of a fit: checks of structures and settings, descriptor, baseline, active set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._arrays import Array, as_count, as_number, as_pairs
from ..._errors import InvalidInputError
from ..._progress import Progress
from ..._species import by_atomic_number, symbol, symbols
from ...models._active_set import ActiveFeatures, Pool, pool_size
from ...models._fit import ModelFacts, provenance_of
from ...models._problem import Elsewhere, Problem
from ...models._rows_file import Head
from ...models._settings import FitSettings
from ...models._structures import Structures
from .._describer import Bins, Describer, OtherDescriber, SoapDescriber, other_describer
from .._descriptor_part import descriptor_part, soap_of
from .._frames import Rereadable
from .._stored_model import StoredModel
from ..labels._noisy_labels import LabelSource
from ..labels._training_set import TrainingSet, check_pool_structures, check_training_set, ignore
from ._environments import FrameEnvironments

if TYPE_CHECKING:
    from ase import Atoms

    from ...descriptors._descriptor import Descriptor

Indices = NDArray[np.int64]


def with_atomic_numbers(settings: FitSettings) -> FitSettings:
    """Return the same settings, with element symbols replaced by atomic numbers."""
    baseline, n_active = settings.baseline, settings.n_active
    if not isinstance(baseline, str):
        baseline = as_baseline(baseline)
    if isinstance(n_active, Mapping):
        n_active = {s: as_count("n_active", n) for s, n in by_atomic_number("n_active", n_active).items()}
    return replace(settings, baseline=baseline, n_active=n_active)


def as_baseline(given: Any) -> dict[int, float] | None:
    """Convert a dictionary of energies of elements to one by atomic number; None stays None.

    Raises
    ------
    InvalidInputError
        For any other type.
    """
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise InvalidInputError(f"the baseline is {given!r}; give a dictionary of energies, such as {{'Si': -158.5}}.")
    return {s: as_number("baseline", energy) for s, energy in by_atomic_number("baseline", given).items()}


def as_active_set(given: Any) -> Any:
    """Replace a model by its active set; leave other values as they are.

    Raises
    ------
    InvalidInputError
        For a model without an active set.
    """
    if not isinstance(given, StoredModel):
        return given
    found = given.active_features
    if found is None:
        raise InvalidInputError("active_set is a linear model, which has no active set; give a sparse kernel model.")
    return ActiveFeatures(found, given.descriptor, given._unlike_limits)


def descriptor_to_use(hypers: Mapping[str, Any] | None, descriptor: Any) -> Mapping[str, Any] | Descriptor:
    """Return the checked parameters of SOAP, or the descriptor.

    Raises
    ------
    InvalidInputError
        If both or neither are given, and for parameters and descriptors that cannot be used.
    """
    from ...descriptors._hypers import checked_hypers
    from ...descriptors._imported import as_descriptor

    if (hypers is None) == (descriptor is None):
        given = "neither" if hypers is None else "both"
        raise InvalidInputError(
            f"got {given} of hypers and descriptor; give either hypers, for SOAP power spectra, or a descriptor: the "
            "name of an array of the structures, a function, an object, or where to import one from."
        )
    return as_descriptor(descriptor) if hypers is None else checked_hypers(hypers)


def external_descriptor(wanted: Mapping[str, Any] | Descriptor) -> Descriptor | None:
    """Return the descriptor if model files do not contain it; None for SOAP and for arrays of the structures."""
    from ...descriptors._descriptor import FrameFeatures

    return None if isinstance(wanted, Mapping | FrameFeatures) else wanted


def frame_checker(wanted: Mapping[str, Any] | Descriptor) -> Bins | Describer:
    """Return the object that checks frames before all species are known."""
    return Bins(wanted["cutoff"]["radius"]) if isinstance(wanted, Mapping) else _describer(wanted)


def frames_problem(
    frames: Iterable[Atoms] | Rereadable | TrainingSet,
    wanted: Mapping[str, Any] | Descriptor,
    settings: FitSettings,
    progress: Progress,
    *,
    active_from: Iterable[Atoms] | Rereadable | None = None,
    seen: Callable[[int], None] = ignore,
) -> Problem:
    """Return the problem to fit. Frames are checked here, unless they are a `TrainingSet`, as in a resumed fit."""
    if active_from is not None and settings.n_active is None:
        raise InvalidInputError(
            "active_from and active_set were given, but active_from is for choosing n_active environments; leave one "
            "of the two out."
        )
    shown, settings = settings.baseline, with_atomic_numbers(settings)
    pool = None if settings.n_active is None else Pool(pool_size(settings.largest_active), settings.seed)
    further: TrainingSet | None = None
    if isinstance(frames, TrainingSet):
        training = frames
    else:
        training = check_training_set(frames, frame_checker(wanted).ready, settings, pool=pool, seen=seen)
        if active_from is not None and pool is not None:
            further = check_pool_structures(active_from, frame_checker(wanted).ready, pool)
            _refuse_others(further.structures.species, training.structures.species)
    structures = training.structures
    _refuse_missing(structures, settings)
    structures.refuse_weightless(symbol)
    baseline = structures.baseline(settings.baseline, shown, symbol)
    descriptor = _built(wanted, structures.species)
    facts = ModelFacts(baseline, _provenance(structures, settings), descriptor_part(descriptor))
    n_features = _n_features(descriptor, training)
    describer = _describer(descriptor, n_features)
    _refuse_derivatives(structures, describer)
    environments = FrameEnvironments(training, describer, n_features, settings.n_threads, LabelSource.of(settings))
    elsewhere = None if further is None else Elsewhere(further.structures, replace(environments, training=further))
    active = settings.active_set
    given = None if active is None or isinstance(active, ActiveFeatures) else _environments(active, structures)
    held = tuple(_described(environments, frame, k) for k, frame in enumerate(settings.hold))
    return Problem(structures, environments, settings, facts, progress, pool, given, held, elsewhere)


def _refuse_others(species: tuple[int, ...], known: tuple[int, ...]) -> None:
    """Raise for species that no training structure has: they would have no rows and no baseline."""
    if strange := tuple(sorted(set(species) - set(known))):
        raise InvalidInputError(
            f"structures of active_from have {symbols(strange)}, but the training set has only {symbols(known)}; leave "
            "these structures out, or add training structures of their species."
        )


def _described(environments: FrameEnvironments, frame: Atoms, number: int) -> tuple[Array, Indices]:
    """Return features and species of a structure whose mean of phi will be held."""
    known = environments.structures.species
    if strange := sorted(set(frame.numbers.tolist()) - set(known)):
        raise InvalidInputError(
            f"held structure {number} has {symbols(tuple(strange))}, but the training set has only {symbols(known)}; "
            "hold structures of these elements."
        )
    describer = environments.describer
    return describer.features([describer.ready(frame, f"held structure {number}")], [None], 0), frame.numbers


def _built(wanted: Mapping[str, Any] | Descriptor, species: tuple[int, ...]) -> Descriptor:
    """Return the descriptor for the species of the training set."""
    from ...descriptors._soap import Soap

    if isinstance(wanted, Mapping):
        return Soap.from_hypers(wanted, species)
    if wanted.species is not None and not set(species) <= set(wanted.species):
        raise InvalidInputError(
            f"the training set has {symbols(species)}, but the descriptor knows only {symbols(wanted.species)}; leave "
            "structures of other elements out."
        )
    return wanted


def _describer(descriptor: Descriptor, n_features: int | None = None) -> Describer:
    from ...descriptors._soap import Soap

    if isinstance(descriptor, Soap):
        return SoapDescriber.of_soap(descriptor)
    return OtherDescriber(descriptor, n_features)


def attached_describer(head: Head, outside: Descriptor | None) -> Describer:
    """Return the descriptor of kept rows."""
    part = head.facts.descriptor
    if part is None:
        raise InvalidInputError(
            "these rows were made from arrays, so structures cannot be described for them; use rows of structures."
        )
    facts = part.facts
    if facts["kind"] == "soap":
        return SoapDescriber.of_soap(soap_of(part, head.basis.species))
    return other_describer(facts, outside, head.basis.n_features, "these rows were")


def _refuse_derivatives(structures: Structures, describer: Describer) -> None:
    """Raise for forces and virials as labels if the descriptor has no derivatives."""
    is_needed = structures.n_derivatives is not None and structures.n_derivatives.any()
    if is_needed and not isinstance(describer, SoapDescriber):
        raise InvalidInputError(
            "sigma is given for forces or virials, but only SOAP (hypers) has the derivatives for their rows; leave "
            "them out of sigma, or fit your own rows (from_rows)."
        )


def _n_features(descriptor: Descriptor, training: TrainingSet) -> int:
    """Return D, from the first structure if the descriptor does not know it."""
    if descriptor.n_features is not None:
        return descriptor.n_features
    from ...descriptors._descriptor import described

    return int(described(descriptor, next(training.source.frames()), "frame 0").shape[1])


def _refuse_missing(structures: Structures, settings: FitSettings) -> None:
    """Raise for a species without an isolated atom if the baseline is that of isolated atoms."""
    missing = [s for s in structures.species if s not in structures.isolated]
    if settings.baseline == "isolated" and structures.energies is not None and missing:
        raise InvalidInputError(
            f"the training set has no isolated atom of {symbols(missing)}; add one of each (a structure of one atom "
            "without periodicity, or of the group isolated_atom), or give the baseline as energies."
        )


def _environments(pairs: ArrayLike, structures: Structures) -> Indices:
    """Return the environments of pairs (structure, atom), ascending."""
    chosen = as_pairs("active_set", pairs)
    sizes = np.diff(structures.first)
    for a, i in chosen.tolist():
        if not (0 <= a < len(sizes) and 0 <= i < sizes[a]):
            raise InvalidInputError(
                f"active_set has atom {i} of frame {a}, which the training set does not have; give pairs (frame, atom) "
                "counted from 0."
            )
    environments = np.sort(structures.first[chosen[:, 0]] + chosen[:, 1])
    if len(np.unique(environments)) < len(environments):
        raise InvalidInputError("active_set has an environment twice; give each once.")
    return environments


def _provenance(structures: Structures, settings: FitSettings) -> dict[str, Any]:
    """Return the facts of the provenance, those of the caller first."""
    facts = provenance_of(structures, settings.provenance)
    noise: dict[str, Any] = {} if settings.noise is None else {"noise": dict(settings.noise)}
    named = {"force_key": settings.force_key, "virial_key": settings.virial_key}
    noise |= {name: key for name, key in named.items() if key is not None}
    return facts | noise | {"energy_key": None if structures.energies is None else settings.energy_key}
