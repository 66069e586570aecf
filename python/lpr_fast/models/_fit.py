"""Fit of a model to training rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import _core
from .._errors import InvalidInputError, LprWarning, NotPositiveDefiniteError
from .._rigidity import Rigidity
from .._words import agreeing, counted
from ._archive import DescriptorPart, assembled
from ._basis import Basis, SparseKernelBasis
from ._row_sums import RowSums
from ._rows import Rows
from ._settings import AUTO, FitSettings, checked_provenance
from ._structures import Structures


@dataclass(frozen=True)
class ModelFacts:
    """Facts in a model besides its numbers."""

    baseline: dict[int, float] | None
    provenance: dict[str, Any]
    descriptor: DescriptorPart | None = None

    def with_provenance(self, further: Mapping[str, Any]) -> ModelFacts:
        """Return the same facts with additions to the provenance."""
        return replace(self, provenance={**self.provenance, **further})


def sums_of(basis: Basis, facts: ModelFacts) -> RowSums:
    """Return empty sums for the rows of a model, with targets if it has energies."""
    return RowSums.empty(basis, labelled=facts.baseline is not None)


def adding(sums: RowSums, blocks: Iterable[Rows], facts: ModelFacts, n_threads: int) -> Iterator[Rows]:
    """Add blocks of rows to the sums, and yield each block when it has been added."""
    baseline = None if facts.baseline is None else np.array(list(facts.baseline.values()))
    for rows in blocks:
        targets = None if baseline is None else rows.targets(baseline)
        sums.add(rows, targets, n_threads)
        yield rows


def solved(basis: Basis, sums: RowSums, settings: FitSettings, facts: ModelFacts, *, stacklevel: int) -> _core.Model:
    """Factorise and return the model; warnings point `stacklevel` calls up."""
    n_threads = settings.n_threads
    if settings.regularizer == AUTO:
        raise InvalidInputError(
            "the regularizer is 'auto', but it is not known which rows belong to one structure; give a positive number."
        )
    prior = basis.prior(n_threads)
    try:
        rigidity = Rigidity._build(sums.accumulator, prior, settings.regularizer, n_threads, stacklevel=stacklevel + 1)
    except NotPositiveDefiniteError as error:
        if isinstance(basis, SparseKernelBasis) and not basis.zeta.is_integer():
            raise InvalidInputError(
                f"with zeta = {basis.zeta:g} the kernel is not positive definite on these environments; give an "
                "integer zeta."
            ) from error
        raise
    if sums.unlabelled.n_weighted:
        rigidity = rigidity._with_unlabelled_rows(sums.unlabelled, n_threads)
    means = sums.species_means(basis)
    if len(means) > 1:
        rigidity = rigidity.holding(np.stack(list(means.values())))
        facts = facts.with_provenance({"held_species": list(means)})
    return assembled(
        basis,
        rigidity,
        prior,
        baseline=facts.baseline,
        loss=settings.loss,
        noise=settings.noise_section(),
        provenance=facts.provenance,
        descriptor=facts.descriptor,
        n_threads=n_threads,
    )


def _shares(structures: Structures) -> dict[str, list[float]]:
    """Return the smallest and largest share of each species in a structure of positive weight."""
    counts = structures.counts[structures.has_weight]
    shares = counts / counts.sum(axis=1, keepdims=True)
    ends = zip(structures.species, shares.min(axis=0).tolist(), shares.max(axis=0).tolist(), strict=True)
    return {str(species): [low, high] for species, low, high in ends}


def warn_of_labels(structures: Structures, *, is_fitted: bool, stacklevel: int) -> None:
    """Warn of structures without energies, and of a fitted baseline that the compositions do not determine."""
    without = structures.unlabelled
    if len(without):
        warnings.warn(
            f"{len(without)} of {counted(int(structures.has_weight.sum()), 'structure')} "
            f"{agreeing(len(without), 'has', 'have')} no energy, the first is number {without[0]}, counted from 0: "
            "without an energy a structure counts for the rigidity, not for the energies.",
            LprWarning,
            stacklevel=stacklevel + 1,
        )
    if structures.loss == "noise" and not structures.has_weight.all():
        empty = np.flatnonzero(~structures.has_weight)
        warnings.warn(
            f"{len(empty)} of {counted(len(structures), 'structure')} {agreeing(len(empty), 'has', 'have')} no label "
            f"that is used, the first is number {empty[0]}, counted from 0: without a label a structure adds nothing "
            "to the fit.",
            LprWarning,
            stacklevel=stacklevel + 1,
        )
    if unused := structures.facts.get("unused_tables"):
        warnings.warn(
            f"sigma is given for the {agreeing(len(unused), 'group', 'groups')} {', '.join(map(repr, unused))}, but "
            "no structure is of such a group; correct the name of the group, or of the key of groups (group_key, "
            "--group-key).",
            LprWarning,
            stacklevel=stacklevel + 1,
        )
    if (mask := structures.facts.get("unused_mask")) is not None:
        warnings.warn(
            f"no structure has the mask {mask!r}, so all forces are used; correct the name (mask_key, --mask-key).",
            LprWarning,
            stacklevel=stacklevel + 1,
        )
    if structures.energies is not None and is_fitted and not structures.is_labelled.any():
        warnings.warn(
            "no structure has an energy that is used, so energies have an unknown constant for each species, which is "
            "set to 0; give a baseline (--baseline) if you know it.",
            LprWarning,
            stacklevel=stacklevel + 1,
        )
        return
    found, n_species = structures.n_compositions, len(structures.species)
    if structures.energies is not None and is_fitted and found < n_species:
        warnings.warn(
            f"the baseline is arbitrary, because there are {n_species} species, but only "
            f"{counted(found, 'independent composition')}: that of minimum norm is used, so local energies of "
            "different species cannot be compared, and other compositions not be predicted (lpr_held is not affected); "
            "give a baseline (--baseline) as energies, or as 'isolated' with isolated atoms, or structures of other "
            "compositions.",
            LprWarning,
            stacklevel=stacklevel + 1,
        )


def provenance_of(structures: Structures, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the facts of the provenance, those of the caller first; structures of zero weight are not counted."""
    counts = structures.counts[structures.has_weight].sum(axis=0)
    return checked_provenance(given) | {
        "lpr_fast_version": _core.__version__,
        "n_structures": int(structures.has_weight.sum()),
        "n_zero_weight": int((~structures.has_weight).sum()),
        "n_unlabelled": len(structures.unlabelled),
        "n_environments": int(counts.sum()),
        "environments": {str(s): count for s, count in zip(structures.species, counts.tolist(), strict=True)},
        "n_compositions": structures.n_compositions,
        "species_shares": _shares(structures),
        **structures.facts,
    }
