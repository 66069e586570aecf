"""A suggestion in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from .._arrays import Array

if TYPE_CHECKING:
    from ._suggestion import Choice, Suggestion

_MEANS = {"mean": "harmonic mean", "log": "geometric mean", "lowest": "lowest"}


def report(suggestion: Suggestion) -> Iterator[str]:
    """Lines: the targets, what is chosen, what that does to them, and what other choices would do."""
    yield from _targets(suggestion)
    yield _chosen(suggestion)
    yield _rigidity(suggestion)
    yield f"others    {_others(suggestion)}"
    held = ", if it holds the same means too (its own differ a little)" if suggestion.column == "lpr_held" else ""
    yield (
        f"holds     exactly for a refit with the same active set and regularizer{held}; a new active set is another "
        "model"
    )


def _targets(suggestion: Suggestion) -> Iterator[str]:
    n_targets, n_blind = len(suggestion.blind), int(np.count_nonzero(suggestion.blind))
    n_ranked = int(np.count_nonzero(suggestion.target_weights))
    share = 100.0 * n_blind / n_targets
    if n_blind > n_targets / 2:
        yield (
            f"blind     most targets, {share:.1f} %, are unlike all that the active set knows: first of all fit with "
            "a pool that holds them (active_from, fit --active-from)"
        )
    yield f"targets   {n_targets}, of which {n_ranked} are ranked"
    if 0 < n_blind <= n_targets / 2:
        yield (
            f"blind     {n_blind} targets ({share:.2g} %) are unlike all that the active set knows, gain nothing at "
            "it, and are not ranked; an active set that knows them takes a fit with active_from (fit --active-from)"
        )


def _chosen(suggestion: Suggestion) -> str:
    chosen = suggestion.chosen
    sources = Counter(suggestion.sources[c] for c in chosen.tolist())
    named = ", ".join(f"{count} of {name}" for name, count in sources.most_common(5) if name)
    more = f", {len(sources) - 5} sources more" if len(sources) > 5 else ""
    cost = float(suggestion.costs[chosen].sum())
    return f"chosen    {len(chosen)} of {len(suggestion.alone)} candidates, cost {cost:.4g}" + (
        f": {named}{more}" if named else ""
    )


def _rigidity(suggestion: Suggestion) -> str:
    now, after = suggestion.lpr[0], suggestion.lpr[-1]
    quantiles = [_quantiles(values) for values in (suggestion.followed_now, suggestion.followed_after)]
    return (
        f"{suggestion.column:9s} {_MEANS[suggestion.objective]} {now:.4g} now, {after:.4g} with them: variance less by "
        f"{100.0 * (1.0 - now / after):.3g} %; 1 %, half and 99 % of the targets below {quantiles[0]} "
        f"now, {quantiles[1]} with them"
    )


def _quantiles(lpr: Array) -> str:
    return ", ".join(f"{value:.3g}" for value in np.quantile(lpr, [0.01, 0.5, 0.99], method="nearest").tolist())


def _others(suggestion: Suggestion) -> str:
    drawn = np.array([suggestion.share_removed(choice) for choice in suggestion.random])
    spread = f" +- {100.0 * drawn.std(ddof=1):.2g}" if len(drawn) > 1 else ""
    return (
        f"farthest points take {100.0 * suggestion.share_removed(suggestion.farthest):.3g} % of the variance away "
        f"({_size(suggestion.farthest)}), random choices {100.0 * drawn.mean():.3g}{spread} % ({len(drawn)} draws of "
        f"{np.mean([len(choice.candidates) for choice in suggestion.random]):.3g})"
    )


def _size(choice: Choice) -> str:
    return f"{len(choice.candidates)} of them"
