"""Assembly of a fitted model from its parts, and the content of its file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array
from .._errors import InvalidInputError
from .._rigidity import Rigidity
from . import _safetensors
from ._basis import ENVIRONMENTS, Basis, LinearBasis, SparseKernelBasis, active_order
from ._scores import Loss

Tensors = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class DescriptorPart:
    """The descriptor in a model file.

    Attributes
    ----------
    facts : dict
        The entry ``descriptor`` of the text.
    arrays : dict of str to numpy.ndarray
        Arrays whose names begin with ``descriptor.``.
    """

    facts: Mapping[str, Any]
    arrays: Mapping[str, Array] = field(default_factory=dict)


def assembled(
    basis: Basis,
    rigidity: Rigidity,
    prior: Array | None,
    *,
    baseline: Mapping[int, float] | None,
    loss: Loss,
    noise: Mapping[str, float] | None,
    provenance: Mapping[str, Any],
    descriptor: DescriptorPart | None,
    n_threads: int,
) -> _core.Model:
    """Return a model from the rigidity of its whole Hessian and `Basis.prior`, with the factors of each species."""
    tensors: Tensors = {} if descriptor is None else dict(descriptor.arrays)
    facts: dict[str, Any] = {
        "kind": "sparse_kernel" if isinstance(basis, SparseKernelBasis) else "linear",
        "loss": loss,
        "regularizer": rigidity.regularizer,
        "method": rigidity.method,
        "species": list(basis.species),
        "n_features": basis.n_features,
        "descriptor": None if descriptor is None else dict(descriptor.facts),
        "baseline": None if baseline is None else [baseline[s] for s in basis.species],
        "provenance": dict(provenance),
    }
    if noise is not None:
        facts["noise"] = dict(noise)
    if isinstance(basis, SparseKernelBasis):
        facts["zeta"] = basis.zeta
        facts["n_active"] = [len(active) for active in basis.active.values()]
        tensors["active"] = np.concatenate(list(basis.active.values()))
        tensors["active.order"] = np.concatenate(list(active_order(basis, n_threads).values()))
        if basis.environments is not None:
            tensors[ENVIRONMENTS] = basis.environments
    elif isinstance(basis, LinearBasis) and basis.has_constants:
        facts["constants"] = True
    if rigidity.weights is not None:
        tensors["weights"] = rigidity.weights
    factors = _factors(basis, rigidity, prior, n_threads)
    facts["factors"] = {name: put_factor(name, factor, tensors) for name, factor in factors.items()}
    return _core.Model.from_parts(json.dumps(facts, allow_nan=False), tensors)


def _factors(basis: Basis, rigidity: Rigidity, prior: Array | None, n_threads: int) -> dict[str, _core.HessianFactor]:
    """Return the factor of the whole Hessian, those restricted to each species, and those of the prior."""
    restricted, priors = {}, {}
    whole = rigidity._factor
    assert isinstance(whole, _core.HessianFactor)  # the rigidity comes from an accumulator
    for s in basis.species:
        columns = basis.columns(s)
        if columns.start == columns.stop:
            continue
        if len(basis.species) > 1:
            restricted[f"hessian.{s}"] = whole.restrict_to(list(range(columns.start, columns.stop)), n_threads)
        if prior is not None:
            priors[f"prior.{s}"] = _core.factorize_prior(np.ascontiguousarray(prior[columns, columns]), n_threads)
    return {"hessian": whole} | restricted | priors


def put_factor(name: str, factor: _core.HessianFactor, tensors: Tensors) -> dict[str, Any]:
    """Add a factor to the arrays of a file, and return its facts for the text."""
    tensors[f"{name}.columns"] = np.array(factor.columns, dtype=np.int64)
    tensors[f"{name}.triangle"] = factor.triangle()
    if (held := factor.held()) is not None:
        rows, tensors[f"{name}.directions"], tensors[f"{name}.left"] = held
        if len(rows):
            tensors[f"{name}.held"] = rows
    estimate = factor.error_estimate
    return {
        "size": factor.size,
        "condition_number": factor.condition_number,
        "error_estimate": None if math.isnan(estimate) else estimate,
    }


def basis_of(model: _core.Model) -> Basis:
    """Return the basis of a model."""
    facts = json.loads(model.text)
    species = tuple(facts["species"])
    if model.active is None:
        return LinearBasis(species, facts["n_features"], facts.get("constants", False))
    of_species = np.split(model.active, np.cumsum(facts["n_active"])[:-1])
    return SparseKernelBasis(dict(zip(species, of_species, strict=True)), facts["zeta"], active_environments(model))


def with_members(model: _core.Model, members: Array | None) -> _core.Model:
    """Return the same model with weights of members in addition, (K, M), so that its scores have a spread.

    Its other scores keep their bits. Members share the model's active set, kernels and baseline; None removes them.
    """
    text, arrays = model.parts()
    arrays.pop("members", None)
    if members is not None:
        arrays["members"] = np.ascontiguousarray(members, dtype=np.float64)
    return _core.Model.from_parts(text, arrays)


def to_bytes(model: _core.Model) -> bytes:
    """Return the content of a model file."""
    text, arrays = model.parts()
    return _safetensors.to_bytes(arrays, text)


def active_environments(model: _core.Model) -> NDArray[np.int64] | None:
    """Return structure and atom of each active environment, (M, 2), if they are known.

    Raises
    ------
    InvalidInputError
        For an array of another shape or type in a damaged file.
    """
    found = model.parts()[1].get(ENVIRONMENTS)
    if found is not None and (found.shape != (model.size, 2) or found.dtype != np.int64):
        raise InvalidInputError(
            f"the model's array {ENVIRONMENTS!r} has shape {found.shape} and type {found.dtype}, expected "
            f"({model.size}, 2) and int64; fit the model again."
        )
    return found


def whole_prior(model: _core.Model, species: Sequence[int]) -> _core.HessianFactor | None:
    """Return the factor of K_MM from those of its blocks, one for each species; None for linear models."""
    text, arrays = model.parts()
    facts = json.loads(text)["factors"]
    blocks = [f"prior.{s}" for s in species if f"prior.{s}" in facts]
    if not blocks:
        return None
    sizes = [facts[name]["size"] for name in blocks]
    kept = [len(arrays[f"{name}.columns"]) for name in blocks]
    triangle = np.zeros((sum(kept), sum(kept)))
    columns: list[int] = []
    for name, first, place, width in zip(blocks, _starts(sizes), _starts(kept), kept, strict=True):
        triangle[place : place + width, place : place + width] = arrays[f"{name}.triangle"]
        columns += (arrays[f"{name}.columns"] + first).tolist()
    condition = max(facts[name]["condition_number"] for name in blocks)
    return _core.HessianFactor.from_triangle(sum(sizes), columns, triangle, condition, math.nan)


def _starts(sizes: Sequence[int]) -> list[int]:
    return [0, *np.cumsum(sizes)[:-1].tolist()]
