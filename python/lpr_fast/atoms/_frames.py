"""Checks of structures before anything is computed, and the energies that they contain."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from .._errors import InvalidInputError
from .._species import symbol, symbols
from ._describer import Ready

if TYPE_CHECKING:
    from ase import Atoms

Indices = NDArray[np.int64]
# Checks a frame; errors use the name.
GetReady: TypeAlias = "Callable[[Atoms, str], Ready]"
Item = TypeVar("Item", bound=Sized)

DEFAULT_ENERGY_KEY = "energy"

# Frames are scored together until they have so many atoms: enough for all cores.
BATCH_ATOMS = 4096

# For frames of fewer atoms several threads are slower than one; the bits are the same.
_FEW_ATOMS = 256

# Numbers in the features of one batch.
_BATCH_VALUES = 2**21


class Rereadable(ABC):
    """Frames that can be iterated over several times, from any number on."""

    @abstractmethod
    def frames(self, start: int = 0) -> Iterator[Atoms]:
        """Yield the frames from number `start` on."""


@dataclass(frozen=True)
class Kept(Rereadable):
    """Frames of an iterable that can be iterated over several times, such as a list."""

    given: Iterable[Atoms]

    def frames(self, start: int = 0) -> Iterator[Atoms]:
        """Yield the frames from number `start` on."""
        return itertools.islice(self.given, start, None)


def training_frames(frames: Iterable[Atoms], ready: GetReady) -> Iterator[Atoms]:
    """Yield frames to train on, each checked when its turn comes."""
    for number, found in enumerate(checked_frames(frames, ready)):
        assert found is not None  # none is skipped
        dummies = np.flatnonzero(found.frame.numbers == 0)
        if dummies.size:
            raise InvalidInputError(
                f"frame {number}, atom {dummies[0]} is X, a dummy atom without an element; leave such atoms out "
                "(ignore, --ignore X), or give their element (species, --species X=Si)."
            )
        yield found.frame


def checked_frames(
    frames: Iterable[Atoms],
    ready: GetReady,
    species: Sequence[int] = (),
    *,
    refuses_unknown: bool = False,
    start: int = 0,
    skip: Callable[[int, str], None] | None = None,
) -> Iterator[Ready | None]:
    """Yield the frames, numbered from `start`, each checked when its turn comes.

    An exception in the place of a frame, which could not be read, is raised. With `refuses_unknown`, frames with
    species other than `species` are errors too. With `skip`, it is called with the number and the message of a frame
    that is an error, and None is yielded in its place.
    """
    from .. import descriptors  # noqa: F401  (before ASE: its error names the missing package)

    # isort: split
    from ase import Atoms

    def check(frame: Any, number: int) -> Ready:
        if isinstance(frame, Exception):
            raise frame
        if not isinstance(frame, Atoms):
            raise InvalidInputError(f"frame {number} is a {type(frame).__name__}; it must be an ase.Atoms.")
        if not len(frame):
            raise InvalidInputError(f"frame {number} has no atoms; leave it out.")
        found = ready(frame, f"frame {number}")
        if refuses_unknown:
            refuse_unknown_species(frame, number, species)
        return found

    if isinstance(frames, Atoms):
        frames = [frames]
    if isinstance(frames, str | bytes) or not isinstance(frames, Iterable):
        raise InvalidInputError(
            f"frames is a {type(frames).__name__}; give ase.Atoms, for instance ase.io.read(file, ':')."
        )
    for number, frame in enumerate(frames, start):
        try:
            yield check(frame, number)
        except InvalidInputError as error:
            if skip is None:
                raise
            skip(number, str(error))
            yield None


def threads_for(n_atoms: int, n_threads: int) -> int:
    """Return the number of threads to use for one frame."""
    return 1 if n_atoms < _FEW_ATOMS else n_threads


def batch_limit(n_features: int) -> int:
    """Return the number of atoms of one batch."""
    return min(BATCH_ATOMS, max(1, _BATCH_VALUES // n_features))


def batches(frames: Iterable[Item | None], limit: int, start: int = 0) -> Iterator[tuple[int, list[Item]]]:
    """Yield batches of frames of up to `limit` atoms, each with the number of its first frame, counted from `start`.

    The frames of a batch have consecutive numbers: it ends at a None, which stands for a skipped frame.
    """
    batch: list[Item] = []
    first, n_atoms = start, 0
    for frame in frames:
        if batch and (frame is None or n_atoms + len(frame) > limit):
            yield first, batch
            first, batch, n_atoms = first + len(batch), [], 0
        if frame is None:
            first += 1
        else:
            batch.append(frame)
            n_atoms += len(frame)
    if batch:
        yield first, batch


def as_list(frames: Iterable[Atoms]) -> list[Atoms]:
    """Return structures as a list; a single structure counts as one."""
    from ase import Atoms

    return [frames] if isinstance(frames, Atoms) else list(frames)


def known_energy(frame: Atoms, key: str) -> float | None:
    """Return the total energy of a frame; None if it has none or if it is not a finite number."""
    energy = stored(frame, key)
    if isinstance(energy, int | float | np.number) and not isinstance(energy, bool) and np.isfinite(energy):
        return float(energy)
    return None


def stored(frame: Atoms, key: str) -> Any:
    """Return the entry of ``Atoms.info``, or the stored result of the frame's calculator: nothing is calculated."""
    in_info = frame.info.get(key)
    return getattr(frame.calc, "results", {}).get(key) if in_info is None else in_info


def refuse_changed(frame: Atoms, name: str, key: str) -> None:
    """Raise if a label is a result of the frame's calculator, but the frame has changed since it was calculated."""
    is_result = frame.info.get(key) is None and frame.arrays.get(key) is None
    check_state = getattr(frame.calc, "check_state", None)
    if is_result and check_state is not None and check_state(frame):
        place = "Atoms.arrays" if np.ndim(frame.calc.results[key]) == 2 else "Atoms.info"
        raise InvalidInputError(
            f"{name} was changed after its {key!r} was calculated; if that is still right, put it into {place}."
        )


def refuse_unknown_species(frame: Atoms, number: int, species: Sequence[int]) -> None:
    """Raise if a frame has atoms of species that the model was not trained on."""
    if not set(frame.numbers.tolist()) <= set(species):  # ten times faster than NumPy for small frames
        atom = int(np.flatnonzero(~np.isin(frame.numbers, species))[0])
        raise InvalidInputError(
            f"frame {number}, atom {atom} is {symbol(frame.numbers[atom])}, but the model knows only "
            f"{symbols(species)}; remove the frame, leave such atoms out (ignore, --ignore), or get NaN near them "
            "(unknown_species='nan', --unknown-species nan)."
        )
