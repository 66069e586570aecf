"""Lines about the split of the energy between species."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..._species import symbol
from ...models._split import SpeciesSplit

if TYPE_CHECKING:
    from .._stored_model import StoredModel

_INDENT = " " * 10

# Share of the prior variance that is left of the difference of two means: above, nothing determines it.
_OPEN = 0.1


def split_lines(model: StoredModel) -> Iterator[str]:
    """Whether the energies determine the split, and what to do if not; nothing for models of one species."""
    split = model.species_split()
    if split is None:
        return
    first, second = map(symbol, split.pair)
    if split.is_determined:
        yield f"split     the training energies determine how the energy is split between {first} and {second}"
        return
    verb = "do not determine" if split.of_difference > _OPEN else "hardly determine"
    if split.is_of_one:
        looser = symbol(split.looser)
        yield f"split     the training energies {verb} the mean energy of {looser} atoms"
        yield f"{_INDENT}shifting the energy of all {looser} atoms changes hardly any total energy"
    else:
        yield f"split     the training energies {verb} how the energy is split between {first} and {second}"
        yield f"{_INDENT}shifting energy from all {first} atoms to all {second} atoms changes hardly any total energy"
    if split.share is not None:
        yield (
            f"{_INDENT}{100 * split.share:.0f} % of the variance of a typical atom comes from such shifts: read "
            "lpr_held, percentile and verdict, which leave them out"
        )
    yield _INDENT + _remedy(split, model.provenance.get("species_shares", {}))


def _remedy(split: SpeciesSplit, shares: Mapping[str, list[float]]) -> str:
    """The compositions that are missing."""
    first, second = map(symbol, split.pair)
    text = f"many and varied structures of other compositions help, including pure {first} and pure {second}"
    if str(split.pair[0]) not in shares:
        return text
    low, high = (100.0 * share for share in shares[str(split.pair[0])])
    present = f"{low:.3g} %" if high - low < 0.1 else f"{low:.3g} to {high:.3g} %"
    return f"{text}; the training set has {present} {first}"
