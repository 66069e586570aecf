"""The summary of a suggestion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from .._arrays import Array
from .._words import agreeing, counted

if TYPE_CHECKING:
    from ._suggestion import Suggestion

_MEANS = {"mean": "harmonic mean", "log": "geometric mean", "lowest": "lowest"}


def report(suggestion: Suggestion) -> Iterator[str]:
    """Lines about the targets, the chosen structures, the gain, and the gain of other choices."""
    yield from _targets(suggestion)
    yield _chosen(suggestion)
    yield from _rigidity(suggestion)
    yield f"others    {_others(suggestion)}"
    held = " and the same held means (those of the refit differ a little)" if suggestion.column == "lpr_held" else ""
    yield f"exact     for a refit with the same active set and regularizer{held}; not for a new active set"


def _targets(suggestion: Suggestion) -> Iterator[str]:
    n_targets, n_blind = len(suggestion.blind), int(np.count_nonzero(suggestion.blind))
    n_ranked = int(np.count_nonzero(suggestion.target_weights))
    share = 100.0 * n_blind / n_targets
    if n_blind > n_targets / 2:
        yield (
            f"blind     most targets, {share:.1f} %, are unlike the active set: first fit again with an active set "
            "that contains them (fit --active-from, active_from)"
        )
    yield f"targets   {n_targets}, of which {n_ranked} are ranked"
    if 0 < n_blind <= n_targets / 2:
        yield (
            f"blind     {counted(n_blind, 'target')} ({share:.2g} %) {agreeing(n_blind, 'is', 'are')} unlike the "
            "active set and not ranked; fit again with an active set that contains such environments (fit "
            "--active-from, active_from)"
        )


def _chosen(suggestion: Suggestion) -> str:
    chosen = suggestion.chosen
    sources = Counter(suggestion.sources[c] for c in chosen.tolist())
    named = ", ".join(f"{count} from {name}" for name, count in sources.most_common(5) if name)
    more = f", and {len(sources) - 5} more sources" if len(sources) > 5 else ""
    cost = f"{suggestion.costs[chosen].sum():.4g} {suggestion.cost_unit}".rstrip()
    among = counted(len(suggestion.alone), "candidate")
    return f"chosen    {len(chosen)} of {among}, cost {cost}" + (f": {named}{more}" if named else "")


def _rigidity(suggestion: Suggestion) -> Iterator[str]:
    now, after = suggestion.lpr[0], suggestion.lpr[-1]
    quantiles = [_quantiles(values) for values in (suggestion.followed_now, suggestion.followed_after)]
    yield (
        f"{suggestion.column:9s} {_MEANS[suggestion.objective]} of the targets {now:.4g} -> {after:.4g}: the variance "
        f"falls by {100.0 * (1.0 - now / after):.3g} %"
    )
    yield f"          1 %, 50 % and 99 % quantiles: {quantiles[0]} -> {quantiles[1]}"


def _quantiles(lpr: Array) -> str:
    return ", ".join(f"{value:.3g}" for value in np.quantile(lpr, [0.01, 0.5, 0.99], method="nearest").tolist())


def _others(suggestion: Suggestion) -> str:
    drawn = np.array([suggestion.share_removed(choice) for choice in suggestion.random])
    spread = f" +- {100.0 * drawn.std(ddof=1):.2g}" if len(drawn) > 1 else ""
    return (
        "by comparison, farthest-point sampling lowers it by "
        f"{100.0 * suggestion.share_removed(suggestion.farthest):.3g} % "
        f"({counted(len(suggestion.farthest.candidates), 'structure')}), random choices by "
        f"{100.0 * drawn.mean():.3g}{spread} % ({counted(len(drawn), 'draw')} of "
        f"{np.mean([len(choice.candidates) for choice in suggestion.random]):.3g})"
    )
