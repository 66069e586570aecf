"""A model as named arrays and a JSON text, and back, without factorising anything."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array
from .._errors import InvalidInputError, LprError
from .._rigidity import Rigidity
from . import _safetensors
from ._basis import Basis, LinearBasis, SparseKernelBasis
from ._local_model import LocalModel

Tensors = dict[str, NDArray[Any]]


def to_bytes(model: LocalModel, hypers: Mapping[str, Any] | None) -> bytes:
    """The content of a model file."""
    tensors: Tensors = {}
    basis = model.basis
    facts: dict[str, Any] = {
        "kind": "sparse_kernel" if isinstance(basis, SparseKernelBasis) else "linear",
        "loss": model.loss,
        "regularizer": model.rigidity.regularizer,
        "method": model.rigidity.method,
        "species": list(basis.species),
        "n_features": basis.n_features,
        "hypers": hypers,
        "baseline": None if model.baseline is None else [model.baseline[s] for s in basis.species],
        "provenance": model.provenance,
    }
    if isinstance(basis, SparseKernelBasis):
        facts["zeta"] = basis.zeta
        facts["n_active"] = [len(active) for active in basis.active.values()]
        tensors["active"] = np.concatenate(list(basis.active.values()))
    if model.rigidity.weights is not None:
        tensors["weights"] = model.rigidity.weights
    named = {"hessian": model.rigidity._factor}
    if len(basis.species) > 1:
        named |= {f"hessian.{s}": factor._factor for s, factor in model.factors.items()}
    named |= {f"prior.{s}": prior for s, prior in model.priors.items()}
    facts["factors"] = {name: _put_factor(name, factor, tensors) for name, factor in named.items()}
    return _safetensors.to_bytes(tensors, json.dumps(facts, allow_nan=False))


def _put_factor(name: str, factor: _core.HessianFactor, tensors: Tensors) -> dict[str, Any]:
    tensors[f"{name}.columns"] = np.array(factor.columns, dtype=np.int64)
    tensors[f"{name}.triangle"] = factor.triangle()
    estimate = factor.error_estimate
    return {
        "size": factor.size,
        "condition_number": factor.condition_number,
        "error_estimate": None if math.isnan(estimate) else estimate,
    }


def from_bytes(content: bytes, name: str) -> tuple[LocalModel, dict[str, Any] | None]:
    """Model and hypers of a model file's content.

    Raises
    ------
    InvalidInputError
        As `_safetensors.from_bytes`, and for parts that do not belong together.
    """
    tensors, text = _safetensors.from_bytes(content, name)
    try:
        facts = json.loads(text)
        return _model(facts, tensors), facts["hypers"]
    except (LprError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise InvalidInputError(
            f"{name} does not hold the parts of a model ({type(error).__name__}: {error}); fit it again."
        ) from error


def _model(facts: dict[str, Any], tensors: Tensors) -> LocalModel:
    species, loss, method = _species(facts["species"]), facts["loss"], facts["method"]
    if loss not in ("total", "per_atom") or method not in ("qr", "gram"):
        raise ValueError(f"unknown loss {loss!r} or method {method!r}")
    if not isinstance(facts["provenance"], dict):
        raise ValueError("the provenance is no dictionary")
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        raise ValueError("an array holds NaN or infinity")
    basis = _basis(facts, tensors, species)
    factors = {name: _factor(name, parts, tensors) for name, parts in facts["factors"].items()}
    mu, weights = _positive(facts["regularizer"]), tensors.get("weights")
    rigidity = Rigidity._from_factor(factors["hessian"], mu, method, weights)
    restricted = dict.fromkeys(species, rigidity) if len(species) == 1 else {}
    restricted |= {
        s: Rigidity._from_factor(factors[f"hessian.{s}"], mu, method) for s in species if f"hessian.{s}" in factors
    }
    priors = {s: factors[f"prior.{s}"] for s in species if f"prior.{s}" in factors}
    model = LocalModel(basis, rigidity, restricted, priors, _baseline(facts, species), loss, facts["provenance"])
    _check_sizes(model)
    return model


def _species(listed: list[int]) -> tuple[int, ...]:
    if not listed or any(type(s) is not int or s < 0 for s in listed) or sorted(set(listed)) != listed:
        raise ValueError(f"species are {listed}")
    return tuple(listed)


def _baseline(facts: dict[str, Any], species: tuple[int, ...]) -> dict[int, float] | None:
    if facts["baseline"] is None:
        return None
    energies = [float(energy) for energy in facts["baseline"]]
    if not np.isfinite(energies).all():
        raise ValueError(f"the baseline is {energies}")
    return dict(zip(species, energies, strict=True))


def _basis(facts: dict[str, Any], tensors: Tensors, species: tuple[int, ...]) -> Basis:
    if facts["kind"] == "linear":
        return LinearBasis(species, int(facts["n_features"]))
    if facts["kind"] != "sparse_kernel":
        raise ValueError(f"unknown kind {facts['kind']!r}")
    counts = [int(count) for count in facts["n_active"]]
    active = tensors["active"]
    if active.shape != (sum(counts), int(facts["n_features"])):
        raise ValueError("the active set has another shape than it should")
    parts: list[Array] = np.split(active, np.cumsum(counts)[:-1])
    return SparseKernelBasis(dict(zip(species, parts, strict=True)), _positive(facts["zeta"]))


def _positive(value: Any) -> float:
    number = float(value)
    if not 0.0 < number < math.inf:
        raise ValueError(f"{number} is not positive")
    return number


def _factor(name: str, parts: dict[str, Any], tensors: Tensors) -> _core.HessianFactor:
    estimate = parts["error_estimate"]
    return _core.HessianFactor.from_triangle(
        int(parts["size"]),
        tensors[f"{name}.columns"].tolist(),
        np.ascontiguousarray(tensors[f"{name}.triangle"]),
        float(parts["condition_number"]),
        math.nan if estimate is None else float(estimate),
    )


def _check_sizes(model: LocalModel) -> None:
    """Throw when parts do not belong together."""
    basis, weights = model.basis, model.rigidity.weights
    widths = {s: basis.columns(s).stop - basis.columns(s).start for s in basis.species}
    needed = {s for s in basis.species if widths[s]}
    fits = (
        model.rigidity.size == basis.size
        and (weights is None or weights.shape == (basis.size,))
        and (weights is None) == (model.baseline is None)
        and set(model.factors) == needed
        and set(model.priors) == (needed if isinstance(basis, SparseKernelBasis) else set())
        and all(part.size == widths[s] for parts in (model.factors, model.priors) for s, part in parts.items())
    )
    if not fits:
        raise ValueError("sizes of the parts disagree")


def read(path: Path) -> tuple[LocalModel, dict[str, Any] | None]:
    """Model and hypers of a model file."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InvalidInputError(f"{path} is no regular file; give a model file.")
    return from_bytes(path.read_bytes(), str(path))
