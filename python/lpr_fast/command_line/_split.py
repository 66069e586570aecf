"""What commands say of the split of the energy between species."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..atoms._model import StructureModel
from ..descriptors._elements import symbol
from ..models._split import SpeciesSplit

_INDENT = " " * 10

# Of the prior variance: more is left of the difference where nothing determines it.
_OPEN = 0.1


def split_lines(model: StructureModel) -> Iterator[str]:
    """Whether the energies determine it, and what follows; nothing for models of one species."""
    split = model.species_split()
    if split is None:
        return
    first, second = map(symbol, split.pair)
    if split.is_determined:
        yield f"split     {first} - {second}: determined by the compositions ({_variances(split)})"
        return
    how = "not determined" if split.of_difference > _OPEN else "weakly determined"
    if split.is_of_one:
        yield f"split     {symbol(split.looser)}: {how}, shifting all of it costs little"
    else:
        yield f"split     {first} - {second}: {how}, shifting all {first} against all {second} costs little"
    yield _INDENT + _variances(split)
    if split.share is not None:
        yield (
            f"{_INDENT}{100 * split.share:.0f} % of a typical atom's variance is shifts of a species: read lpr_held, "
            "percentile and verdict, which leave them out"
        )
    yield _INDENT + _remedy(split, model.provenance.get("species_shares", {}))


def _variances(split: SpeciesSplit) -> str:
    if split.is_of_one:
        text = f"variance {split.of_looser:.2g} of its mean"
    else:
        text = f"variance {split.of_difference:.2g} of the difference of their means, {split.of_sum:.2g} of the sum"
    if split.of_atom is not None:
        text += f", {split.of_atom:.2g} of a typical atom with all means held"
    return text + " (prior 1)"


def _remedy(split: SpeciesSplit, shares: Mapping[str, list[float]]) -> str:
    """Which compositions are missing; how far they help is not known before they are there."""
    first, second = map(symbol, split.pair)
    text = f"many and varied structures of other compositions narrow it, pure {first} and pure {second} among them"
    if str(split.pair[0]) not in shares:
        return text
    low, high = (100.0 * share for share in shares[str(split.pair[0])])
    has = f"{low:.3g} %" if high - low < 0.1 else f"{low:.3g} to {high:.3g} %"
    return f"{text}; those that there are have {has} {first}"
