"""What commands say of the split of the energy between species."""

from __future__ import annotations

from collections.abc import Iterator

from ..atoms._model import StructureModel
from ..descriptors._elements import symbol
from ..models._split import Remedy, SpeciesSplit

_INDENT = " " * 10

# Of the prior variance: more is left of the difference where nothing determines it.
_OPEN = 0.1


def split_lines(model: StructureModel) -> Iterator[str]:
    """Whether the energies determine it, what follows, and what would mend it; nothing for models of one species."""
    split = model.species_split()
    if split is None:
        return
    first, second = map(symbol, split.pair)
    variances = f"variance {split.of_difference:.2g} of the difference of their means, {split.of_sum:.2g} of the sum"
    if split.of_atom is not None:
        variances += f", {split.of_atom:.2g} of a typical atom without it"
    variances += " (prior 1)"
    if split.is_determined:
        yield f"split     {first} - {second}: determined by the compositions ({variances})"
        return
    how = "not determined" if split.of_difference > _OPEN else "weakly determined"
    yield f"split     {first} - {second}: {how}, shifting all {first} against all {second} costs little"
    yield f"{_INDENT}{variances}"
    if split.share is not None:
        yield (
            f"{_INDENT}{100 * split.share:.0f} % of a typical atom's variance is this shift: read lpr_held, percentile "
            "and verdict, which leave it out"
        )
    yield f"{_INDENT}to mend it, add structures of other compositions: {_remedies(split)}"


def _remedies(split: SpeciesSplit) -> str:
    """The best pure phase and the best mixture."""
    pure = next(remedy for remedy in split.remedies if len(remedy.composition) == 1)
    mixed = next(remedy for remedy in split.remedies if len(remedy.composition) > 1)
    return (
        f"one of {pure.n_atoms} atoms of {_formula(pure)} would leave {pure.variance:.1g}, one of {_formula(mixed)} "
        f"{mixed.variance:.1g}"
    )


def _formula(remedy: Remedy) -> str:
    if len(remedy.composition) == 1:
        return "pure " + symbol(next(iter(remedy.composition)))
    smallest = min(remedy.composition.values())
    counts = {s: round(share / smallest) for s, share in remedy.composition.items()}
    return "".join(symbol(s) + (str(count) if count > 1 else "") for s, count in counts.items())
