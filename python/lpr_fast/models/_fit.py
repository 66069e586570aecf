"""From the rows of structures to a fitted model."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .. import _core
from .._accumulator import HessianAccumulator
from .._arrays import Array, as_number
from .._errors import InvalidInputError, NotPositiveDefiniteError
from .._rigidity import Rigidity
from ._archive import Descriptor, assembled
from ._basis import Basis, SparseKernelBasis
from ._scores import Loss
from ._structures import Structures

# Beyond this, rounding of x . x' = 1 is seen in its power.
_LARGEST_ZETA = 1000.0

_DEEPEST = 50


@dataclass(frozen=True)
class Terms:
    """How a model is fitted, whatever its basis, and what it is to say of itself."""

    regularizer: float
    loss: Loss
    baseline: dict[int, float] | None
    provenance: dict[str, Any]
    n_threads: int
    descriptor: Descriptor | None = None

    def with_facts(self, further: Mapping[str, Any]) -> Terms:
        """The same with a longer provenance."""
        return replace(self, provenance={**self.provenance, **further})


def fit(basis: Basis, blocks: Iterable[Array], structures: Structures, terms: Terms) -> _core.Model:
    """Accumulate rows X_A, which come in blocks in the order of the structures; factorise; make what scoring needs."""
    targets = structures.targets(terms.baseline)
    accumulator = HessianAccumulator(basis.size, labelled=targets is not None)
    for _ in adding(accumulator, blocks, structures.weights, targets, terms.n_threads):
        pass
    return solved(basis, accumulator, terms, stacklevel=5)


def adding(
    accumulator: HessianAccumulator, blocks: Iterable[Array], weights: Array, targets: Array | None, n_threads: int
) -> Iterator[int]:
    """Add rows, which come in blocks, with their weights and targets; after each block, tell how many that makes."""
    start = 0
    for rows in blocks:
        chosen = slice(start, start + len(rows))
        accumulator.add(
            rows, weights[chosen], targets=None if targets is None else targets[chosen], n_threads=n_threads
        )
        start += len(rows)
        yield start


def solved(basis: Basis, accumulator: HessianAccumulator, terms: Terms, *, stacklevel: int) -> _core.Model:
    """Factorise, and make what scoring needs; warnings point `stacklevel` calls up."""
    prior = basis.prior(terms.n_threads)
    try:
        rigidity = Rigidity._build(accumulator, prior, terms.regularizer, terms.n_threads, stacklevel=stacklevel + 1)
    except NotPositiveDefiniteError as error:
        if isinstance(basis, SparseKernelBasis) and not basis.zeta.is_integer():
            raise InvalidInputError(
                f"with zeta = {basis.zeta:g} the kernel is not positive definite on these environments; use an integer."
            ) from error
        raise
    return assembled(
        basis,
        rigidity,
        prior,
        baseline=terms.baseline,
        loss=terms.loss,
        provenance=terms.provenance,
        descriptor=terms.descriptor,
        n_threads=terms.n_threads,
    )


def as_positive(name: str, value: Any) -> float:
    """A finite positive number."""
    number = as_number(name, value)
    if not (0.0 < number < float("inf")):
        raise InvalidInputError(f"{name} is {number:g}; it must be finite and positive.")
    return number


def as_zeta(value: Any) -> float:
    """A power that kernels can have."""
    zeta = as_positive("zeta", value)
    if zeta > _LARGEST_ZETA:
        raise InvalidInputError(f"zeta is {zeta:g}; it must be at most {_LARGEST_ZETA:g}.")
    return zeta


def checked_provenance(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the caller wants the provenance to say, as JSON holds it."""
    if given is not None and not isinstance(given, Mapping):
        raise InvalidInputError(f"provenance is a {type(given).__name__}; give a dictionary.")
    try:
        text = json.dumps(dict(given or {}), allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(f"provenance cannot be written as JSON ({error}); use numbers and text.") from error
    facts = dict(json.loads(text))
    _check_plain(facts, 0)
    return facts


def provenance_of(structures: Structures, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """What every provenance says, after what the caller wants it to say."""
    return checked_provenance(given) | {
        "lpr_fast_version": _core.__version__,
        "n_structures": len(structures),
        "n_environments": structures.n_environments,
    }


def _check_plain(value: Any, depth: int) -> None:
    """Throw for what other readers of JSON may not take."""
    if depth > _DEEPEST:
        raise InvalidInputError(f"provenance is nested more than {_DEEPEST} deep; make it flatter.")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise InvalidInputError("provenance holds an integer of more than 64 bits; make it a text.")
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        _check_plain(child, depth + 1)


def refuse_empty(basis: SparseKernelBasis, reason: str) -> None:
    """Throw when there is no active environment at all."""
    if basis.size == 0:
        raise InvalidInputError(f"no training environment has any features, because {reason}.")
