"""Choice of the active set by farthest-point sampling from a pool of bounded size, for each species."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array, as_count
from .._errors import InvalidInputError, LprWarning
from .._words import counted

Indices = NDArray[np.int64]

# Environments in the pool of a species: so many for each active one, at least the floor, but at most the largest factor
# for each active one.
_POOL_FACTOR = 5
_POOL_FLOOR = 2000
_LARGEST_POOL_FACTOR = 50

# Environments whose priorities are computed at once.
_DRAWN_TOGETHER = 65536

# Normalised features at a smaller distance are the same environment: their kernels differ by rounding.
_SAME = 1e-7


def share_out(n_active: int, available: Mapping[int, int]) -> dict[int, int]:
    """Divide the active set among the species in proportion to their environments: at least one, at most all."""
    if n_active < len(available):
        raise InvalidInputError(
            f"n_active is {n_active}, but the training set has {len(available)} species; each needs at least one."
        )
    total = sum(available.values())
    shares = {s: n_active * count / total for s, count in available.items()}
    counts = {s: min(max(1, int(share)), available[s]) for s, share in shares.items()}
    # Add to the species that lost most by rounding, or take from those that gained most, until the total is right.
    while sum(counts.values()) != min(n_active, total):
        missing = min(n_active, total) > sum(counts.values())
        open_to_change = [s for s in counts if (counts[s] < available[s] if missing else counts[s] > 1)]
        lost = {s: shares[s] - counts[s] for s in open_to_change}
        chosen = max(lost, key=lambda s: lost[s]) if missing else min(lost, key=lambda s: lost[s])
        counts[chosen] += 1 if missing else -1
    return counts


@dataclass(frozen=True)
class ActiveFeatures:
    """The active set of another model, to be used as it is.

    Attributes
    ----------
    of_species : dict of int to numpy.ndarray, shape (M_s, D)
        Normalised features of the active environments of each species, ascending.
    descriptor : dict or None
        Facts about the descriptor of that model; None if it was built from arrays.
    unlike_limits : dict of int to float
        Residual above which that model calls an atom of each species unlike; empty if it has no reference.
    """

    of_species: Mapping[int, Array]
    descriptor: Mapping[str, Any] | None
    unlike_limits: Mapping[int, float]

    @property
    def size(self) -> int:
        """M."""
        return sum(map(len, self.of_species.values()))

    @property
    def n_features(self) -> int:
        """D."""
        return int(next(iter(self.of_species.values())).shape[1])

    def digest(self) -> str:
        """Return a hash of the features."""
        content = b"".join(np.ascontiguousarray(features).tobytes() for features in self.of_species.values())
        return hashlib.sha256(content).hexdigest()

    def refuse_others(
        self,
        species: tuple[int, ...],
        n_features: int,
        descriptor: Mapping[str, Any] | None,
        label: Callable[[int], str],
    ) -> None:
        """Raise for training sets whose features differ from those of the model.

        Raises
        ------
        InvalidInputError
            For other species, and for another descriptor.
        """
        if tuple(self.of_species) != species:
            known, there = (", ".join(map(label, names)) for names in (self.of_species, species))
            raise InvalidInputError(
                f"the active set is that of a model of {known}, but the training set has {there}; give structures of "
                "the same species, because features depend on them."
            )
        before, now = _identity(self.descriptor), _identity(descriptor)
        from_arrays = None in (descriptor, self.descriptor) and "soap" not in (before["kind"], now["kind"])
        differing = [] if from_arrays else [key for key in {**before, **now} if before.get(key) != now.get(key)]
        if differing or self.n_features != n_features:
            what = differing[0] if differing else "the number of features"
            raise InvalidInputError(
                f"the active set is that of a model with another descriptor ({what} differs); give the same descriptor."
            )


def _identity(facts: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the facts that identify a descriptor: for SOAP its parameters, because the rest follows from them."""
    if facts is None:
        return {"kind": None}
    return {key: facts[key] for key in ("kind", "hypers")} if facts["kind"] == "soap" else facts


@dataclass(frozen=True)
class Sample:
    """Active environments of each species with their features, and the sizes of the pools."""

    active: dict[int, Array]
    environments: dict[int, Indices]
    pool: dict[int, int]

    @property
    def size(self) -> int:
        """M."""
        return sum(map(len, self.active.values()))


class Pool:
    """Random environments of each species, from which farthest-point sampling chooses.

    Memory does not grow with the number of environments: for each species the `size` of lowest priority are kept.
    """

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self.seed = seed
        self._kept: dict[int, Indices] = {}
        self._waiting: list[Indices] = []
        self._n_waiting = 0
        self._n_drawn = 0

    def add(self, numbers: Indices) -> None:
        """Add the next environments, given by their species."""
        self._waiting.append(numbers)
        self._n_waiting += len(numbers)
        if self._n_waiting >= _DRAWN_TOGETHER:
            self._draw()

    def drawn(self, wanted: Mapping[int, int]) -> dict[int, Indices]:
        """Return the pool of each species, ascending, to choose the given numbers of environments from."""
        self._draw()
        return {s: draw(self._kept[s], pool_size(count), self.seed) for s, count in wanted.items()}

    def _draw(self) -> None:
        if not self._waiting:
            return
        numbers = np.concatenate(self._waiting)
        for s in np.unique(numbers).tolist():
            new = self._n_drawn + np.flatnonzero(numbers == s)
            self._kept[s] = draw(np.concatenate([self._kept.get(s, new[:0]), new]), self._size, self.seed)
        self._n_drawn += len(numbers)
        self._waiting, self._n_waiting = [], 0


def sampled(
    pools: Mapping[int, Indices],
    wanted: Mapping[int, int],
    describe: Callable[[Indices], Iterator[Array]],
    n_features: int,
    cap: int,
    n_threads: int,
    report: Callable[[int], None],
) -> Sample:
    """Choose the given numbers of environments of each species from pools by farthest-point sampling.

    Features of several pools are in memory at once if they fit into `cap` bytes. `describe` returns features of
    environments in ascending order, and `report` is called with the number described so far.
    """
    active: dict[int, Array] = {}
    environments: dict[int, Indices] = {}
    done = 0
    for block in _blocks(pools, cap // (8 * n_features)):
        features = _features_of(block, describe, n_features, partial(_report_more, report, done))
        for s in block:
            normalised = _core.normalised(features.pop(s), n_threads)
            chosen = choose(normalised, wanted[s], n_threads)
            active[s], environments[s] = normalised[chosen], block[s][chosen]
        done += sum(map(len, block.values()))
    return Sample(
        {s: active[s] for s in pools},
        {s: environments[s] for s in pools},
        {s: len(pool) for s, pool in pools.items()},
    )


def _report_more(report: Callable[[int], None], before: int, done: int) -> None:
    report(before + done)


def _blocks(pools: Mapping[int, Indices], limit: int) -> Iterator[dict[int, Indices]]:
    """Yield several pools at once, up to `limit` environments."""
    block: dict[int, Indices] = {}
    for s, pool in pools.items():
        if block and sum(map(len, block.values())) + len(pool) > limit:
            yield block
            block = {}
        block[s] = pool
    yield block


def _features_of(
    pools: Mapping[int, Indices],
    describe: Callable[[Indices], Iterator[Array]],
    n_features: int,
    report: Callable[[int], None],
) -> dict[int, Array]:
    """Return features of the environments of each pool, in one pass over all structures."""
    together = np.concatenate(list(pools.values()))
    order = np.argsort(together)
    species = np.repeat(list(pools), [len(pool) for pool in pools.values()])[order]
    features = {s: np.empty((len(pool), n_features)) for s, pool in pools.items()}
    filled = dict.fromkeys(pools, 0)
    done = 0
    for batch in describe(together[order]):
        of_batch = species[done : done + len(batch)]
        for s in np.unique(of_batch).tolist():
            found = batch[of_batch == s]
            features[s][filled[s] : filled[s] + len(found)] = found
            filled[s] += len(found)
        done += len(batch)
        report(done)
    return features


def warn_of_few(available: int, asked: int, *, stacklevel: int) -> None:
    """Warn, before anything is described, if there are fewer environments than requested."""
    if available < asked:
        message = (
            f"n_active is {asked}, but there are environments for only {available} of these: they all become active, "
            "as far as they differ."
        )
        warnings.warn(message, LprWarning, stacklevel=stacklevel + 1)


def warn_of_equal(found: int, wanted: int, *, stacklevel: int) -> None:
    """Warn if the pool has fewer distinct environments than it should provide."""
    if found < wanted:
        message = (
            f"the active set has {counted(found, 'environment')}, not {wanted}, because the pool has no more distinct "
            "environments."
        )
        warnings.warn(message, LprWarning, stacklevel=stacklevel + 1)


def as_seed(seed: Any) -> int:
    """Check a seed of random numbers."""
    value = as_count("seed", seed)
    if value < 0:
        raise InvalidInputError(f"seed is {value}; it must not be negative.")
    return value


def as_size(n_active: Any) -> int:
    """Check a number of active environments."""
    count = as_count("n_active", n_active)
    if count < 1:
        raise InvalidInputError(f"n_active is {count}; it must be positive.")
    return count


def pool_size(n_active: int) -> int:
    """Return the size of the pool of a species from which `n_active` environments are chosen."""
    return max(_POOL_FACTOR * n_active, min(_POOL_FLOOR, _LARGEST_POOL_FACTOR * n_active))


def draw(environments: Indices, size: int, seed: int) -> Indices:
    """Return a uniform sample of environments, ascending, that depends on `seed` and their indices alone."""
    if len(environments) <= size:
        return environments
    order = np.argsort(priorities(environments, seed), kind="stable")
    return np.sort(environments[order[:size]])


def priorities(environments: Indices, seed: int) -> NDArray[np.uint64]:
    """Return a pseudo-random number for each index (SplitMix64: Steele, Lea and Flood, OOPSLA 2014)."""
    mixed = np.array([seed], dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) ^ environments.astype(np.uint64)
    mixed = mixed + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def choose(features: Array, n_active: int, n_threads: int) -> Indices:
    """Return rows of normalised features by farthest-point sampling; fewer if there are no more distinct ones.

    Environments without features (isolated atoms) are never chosen.
    """
    usable = np.flatnonzero(features.any(axis=1))
    if not usable.size:
        return usable
    among = features if len(usable) == len(features) else np.ascontiguousarray(features[usable])
    chosen = _core.farthest_points(among, n_active, 0, _SAME, n_threads)
    return usable[np.array(chosen, dtype=np.int64)]
