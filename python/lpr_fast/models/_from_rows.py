"""Fit to training rows of energies, forces and virials from any source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from .._arrays import Array, as_count, as_matrix, as_number, as_rows, as_vector, refuse_unusable
from .._errors import InvalidInputError
from .._species import as_species, keyed_by_species
from .._words import counted
from ._basis import Basis, LinearBasis, SparseKernelBasis
from ._fit import ModelFacts, solved
from ._from_arrays import given_weights
from ._row_sums import RowSums
from ._settings import FitSettings, checked_provenance


def linear_model(
    rows: ArrayLike,
    targets: ArrayLike | None,
    species: ArrayLike,
    settings: FitSettings,
    *,
    has_constants: bool,
    stacklevel: int,
) -> _core.Model:
    """Check the arguments of `LinearModel.from_rows` and return the model."""
    X, blocks = as_rows("rows", rows), _different("species", as_species("species", species))
    width, left = divmod(X.shape[1], len(blocks))
    if left or width <= has_constants:
        what = "a constant and the same number of features" if has_constants else "the same number of features"
        raise InvalidInputError(
            f"rows have {counted(X.shape[1], 'column')} for {len(blocks)} species; give {what} for each of the species."
        )
    order = sorted(range(len(blocks)), key=lambda block: blocks[block])
    basis = LinearBasis(tuple(blocks[block] for block in order), width - has_constants, has_constants)
    columns = np.concatenate([np.arange(block * width, (block + 1) * width) for block in order])
    return _model_of(basis, _ordered(X, columns), targets, settings, stacklevel + 1)


def kernel_model(
    rows: ArrayLike,
    targets: ArrayLike | None,
    active: Mapping[Any, ArrayLike],
    settings: FitSettings,
    *,
    stacklevel: int,
) -> _core.Model:
    """Check the arguments of `SparseKernelModel.from_rows` and return the model."""
    X = as_rows("rows", rows)
    features = _active_features(active, settings.n_threads)
    sizes = [len(of_species) for of_species in features.values()]
    if X.shape[1] != sum(sizes):
        raise InvalidInputError(
            f"rows have {counted(X.shape[1], 'column')} for {counted(sum(sizes), 'active environment')}; give one "
            "column for each."
        )
    places = dict(zip(features, np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1]), strict=True))
    basis = SparseKernelBasis({s: features[s] for s in sorted(features)}, float(settings.zeta))
    columns = np.concatenate([places[s] for s in basis.species])
    return _model_of(basis, _ordered(X, columns), targets, replace(settings, n_active=basis.size), stacklevel + 1)


def _model_of(
    basis: Basis, rows: Array, targets: ArrayLike | None, settings: FitSettings, stacklevel: int
) -> _core.Model:
    labels = None if targets is None else as_vector("targets", targets)
    baseline = _baseline(settings.baseline, basis.species, is_labelled=labels is not None)
    provenance = checked_provenance(settings.provenance) | {
        "lpr_fast_version": _core.__version__,
        "n_rows": len(rows),
    }
    facts = ModelFacts(baseline, provenance)
    sums = RowSums.empty(basis, labelled=labels is not None)
    weights = given_weights(settings, len(rows), "row", of="rows")
    sums.accumulator.add(rows, weights, targets=labels, n_threads=settings.n_threads)
    if isinstance(basis, LinearBasis) and basis.has_constants:
        sums.phi, sums.counts = _of_atoms(rows, weights, [basis.columns(s).start for s in basis.species])
    return solved(basis, sums, settings, facts, stacklevel=stacklevel + 1)


def _of_atoms(rows: Array, weights: Array, constants: list[int]) -> tuple[Array, Array]:
    """Return sums of the rows of energies, those that count atoms, and of their atoms: see `RowSums`."""
    of_energies = rows[:, constants].any(axis=1)
    phi: Array = (weights[of_energies, None] * rows[of_energies]).sum(axis=0)
    return phi, phi[constants]


def _baseline(given: Any, species: tuple[int, ...], *, is_labelled: bool) -> dict[int, float] | None:
    """Return the energies per atom that were subtracted from the targets; zero by default."""
    if not is_labelled:
        if given is not None:
            raise InvalidInputError("a baseline was given, but there are no targets; leave it out.")
        return None
    if given is None:
        return dict.fromkeys(species, 0.0)
    given = keyed_by_species("the baseline", given)
    if not isinstance(given, Mapping) or set(given) != set(species):
        raise InvalidInputError(
            f"the baseline is {given}; give one finite energy for each of the species {', '.join(map(str, species))}."
        )
    energies = {s: as_number(f"the baseline of species {s}", given[s]) for s in species}
    wrong = [s for s, energy in energies.items() if not np.isfinite(energy)]
    if wrong:
        raise InvalidInputError(f"the baseline of species {wrong[0]} is {energies[wrong[0]]}; it must be finite.")
    return energies


def _active_features(active: Mapping[Any, ArrayLike], n_threads: int) -> dict[int, Array]:
    """Return the normalised features of the active environments of each species."""
    active = keyed_by_species("active", active)
    if not isinstance(active, Mapping) or not active:
        raise InvalidInputError(
            "active is not a dictionary, or empty; give the features of the active environments, {species: X}."
        )
    numbers = _different("active", np.array([as_count("a species of active", s) for s in active], dtype=np.int64))
    features = {s: as_matrix(f"active[{s}]", X) for s, X in zip(numbers, active.values(), strict=True)}
    widths = {X.shape[1] for X in features.values()}
    if len(widths) > 1:
        raise InvalidInputError(
            f"active environments have {sorted(widths)} features; give all of them the same number."
        )
    for s, X in features.items():
        refuse_unusable(f"active[{s}]", X)
    return {s: _core.normalised(X, n_threads) for s, X in features.items()}


def _different(name: str, numbers: NDArray[np.int64]) -> list[int]:
    """Check that species are not negative and distinct, at least one."""
    if not numbers.size or (numbers < 0).any() or len(np.unique(numbers)) < len(numbers):
        raise InvalidInputError(f"{name} has {numbers.tolist()}; give each of the species once, by a number >= 0.")
    return [int(s) for s in numbers]


def _ordered(rows: Array, columns: NDArray[np.int64]) -> Array:
    return rows if (np.diff(columns) == 1).all() else np.ascontiguousarray(rows[:, columns])
