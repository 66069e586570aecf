"""What is read off structures, and checked, before anything is computed."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from .._errors import InvalidInputError
from ._describing import Ready

if TYPE_CHECKING:
    from ase import Atoms

Indices = NDArray[np.int64]
# What makes a frame ready, under a name that errors call it by.
GetReady: TypeAlias = "Callable[[Atoms, str], Ready]"
Item = TypeVar("Item", bound=Sized)

DEFAULT_ENERGY_KEY = "energy"

# Frames are scored together until they have so many atoms: enough for all cores.
BATCH_ATOMS = 4096

# Threads would wait for one another longer than they compute for frames of fewer atoms; the bits are the same.
_FEW_ATOMS = 256

# Features that exist at a time.
_BATCH_VALUES = 2**21


class Rereadable(ABC):
    """Frames that can be taken again, from any number on."""

    @abstractmethod
    def frames(self, start: int = 0) -> Iterator[Atoms]:
        """The frames from number `start` on."""


@dataclass(frozen=True)
class Kept(Rereadable):
    """Frames of an iterable that can be run through more than once, such as a list."""

    given: Iterable[Atoms]

    def frames(self, start: int = 0) -> Iterator[Atoms]:
        """The frames from number `start` on."""
        return itertools.islice(self.given, start, None)


def checked(frames: Iterable[Atoms], ready: GetReady) -> Iterator[Atoms]:
    """Frames to train on, each of them looked at when its turn comes."""
    for number, found in enumerate(usable(frames, ready)):
        assert found is not None  # none is skipped
        dummies = np.flatnonzero(found.frame.numbers == 0)
        if dummies.size:
            raise InvalidInputError(
                f"frame {number}, atom {dummies[0]} is X, a dummy atom and no element; leave such atoms out (ignore, "
                "--ignore X), or say which element they are (species, --species X=Si)."
            )
        yield found.frame


def usable(
    frames: Iterable[Atoms],
    ready: GetReady,
    species: Sequence[int] = (),
    *,
    refuses_unknown: bool = False,
    start: int = 0,
    skip: Callable[[int, str], None] | None = None,
) -> Iterator[Ready | None]:
    """The frames, numbered from `start`, each of them looked at when its turn comes.

    Where there is an exception in the place of a frame, because it could not be read, it is raised. With
    `refuses_unknown`, frames with other species are refused too. With `skip`, what is wrong with a frame is told to it,
    and None takes the frame's place.
    """
    from .. import descriptors  # noqa: F401  (before ASE: it says so if that is missing)

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
    """Threads that are worth while for one frame."""
    return 1 if n_atoms < _FEW_ATOMS else n_threads


def batch_limit(n_features: int) -> int:
    """Atoms whose features are kept together."""
    return min(BATCH_ATOMS, max(1, _BATCH_VALUES // n_features))


def batches(frames: Iterable[Item | None], limit: int, start: int = 0) -> Iterator[tuple[int, list[Item]]]:
    """Frames together until they have `limit` atoms, and the number of the first of them, counted from `start`.

    A batch has consecutive numbers: it ends where None stands for a frame that is left out.
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


def known_energy(frame: Atoms, key: str) -> float | None:
    """The total energy that a frame comes with, if it is one: here nothing depends on it."""
    energy = stored(frame, key)
    if isinstance(energy, int | float | np.number) and not isinstance(energy, bool) and np.isfinite(energy):
        return float(energy)
    return None


def stored(frame: Atoms, key: str) -> Any:
    """What `Atoms.info` holds, or a result that the frame's calculator holds already: nothing is calculated."""
    in_info = frame.info.get(key)
    return getattr(frame.calc, "results", {}).get(key) if in_info is None else in_info


def refuse_changed(frame: Atoms, name: str, key: str) -> None:
    """Throw where a result of the frame's calculator is looked for, but the frame has changed since it was found."""
    is_result = frame.info.get(key) is None and frame.arrays.get(key) is None
    check_state = getattr(frame.calc, "check_state", None)
    if is_result and check_state is not None and check_state(frame):
        place = "Atoms.arrays" if np.ndim(frame.calc.results[key]) == 2 else "Atoms.info"
        raise InvalidInputError(
            f"{name} was changed after its {key!r} was calculated; if that still holds, put it into {place}."
        )


def refuse_unknown_species(frame: Atoms, number: int, species: Sequence[int]) -> None:
    """Throw when a frame has atoms of species that the model was not trained on."""
    from ..descriptors._elements import symbol, symbols

    if not set(frame.numbers.tolist()) <= set(species):  # for small frames a tenth of the time that NumPy takes
        atom = int(np.flatnonzero(~np.isin(frame.numbers, species))[0])
        raise InvalidInputError(
            f"frame {number}, atom {atom} is {symbol(frame.numbers[atom])}, but the model knows only "
            f"{symbols(species)}; remove the frame, leave such atoms out (ignore, --ignore), or ask for NaN where they "
            "are near (unknown_species='nan', --unknown-species nan)."
        )
