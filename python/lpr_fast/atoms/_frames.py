"""What is read off structures, and checked, before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import Array
from .._errors import InvalidInputError

if TYPE_CHECKING:
    from ase import Atoms

Indices = NDArray[np.int64]

# Frames are described together until they have so many atoms, or features: featomic's threads share out frames.
_BATCH_ATOMS = 4096
_BATCH_VALUES = 2**23


def checked(frames: Iterable[Atoms]) -> Iterator[Atoms]:
    """The frames, each of them looked at when its turn comes."""
    from ase import Atoms

    from ..descriptors._periodicity import check_geometry

    if isinstance(frames, Atoms):
        frames = [frames]
    if isinstance(frames, str | bytes) or not isinstance(frames, Iterable):
        raise InvalidInputError(
            f"frames is a {type(frames).__name__}; give ase.Atoms, for instance ase.io.read(file, ':')."
        )
    for number, frame in enumerate(frames):
        if not isinstance(frame, Atoms):
            raise InvalidInputError(f"frame {number} is a {type(frame).__name__}; it must be an ase.Atoms.")
        if not len(frame):
            raise InvalidInputError(f"frame {number} has no atoms; leave it out.")
        check_geometry(frame, f"frame {number}")
        yield frame


def batches(frames: Iterable[Atoms], n_features: int) -> Iterator[tuple[int, list[Atoms]]]:
    """Frames to be described together, and the number of the first of them."""
    limit = min(_BATCH_ATOMS, max(1, _BATCH_VALUES // n_features))
    batch: list[Atoms] = []
    first, n_atoms = 0, 0
    for frame in frames:
        if batch and n_atoms + len(frame) > limit:
            yield first, batch
            first, batch, n_atoms = first + len(batch), [], 0
        batch.append(frame)
        n_atoms += len(frame)
    if batch:
        yield first, batch


def energies_of(frames: Sequence[Atoms], key: str | None) -> Array | None:
    """Total energies, or None where no frame has one."""
    if key is None:
        return None
    if not isinstance(key, str):
        raise InvalidInputError(f"energy_key is {key!r}; give the name under which frames hold energies, or None.")
    found = [_energy_of(frame, key) for frame in frames]
    missing = [number for number, energy in enumerate(found) if energy is None]
    if len(missing) == len(found):
        return None
    if missing:
        raise InvalidInputError(
            f"frame {missing[0]} has no energy named {key!r} ({len(missing)} of {len(found)} frames have none); remove "
            "these frames, or give energy_key=None to fit without energies."
        )
    energies = [_as_energy(number, energy) for number, energy in enumerate(found)]
    return np.array(energies)


def _energy_of(frame: Atoms, key: str) -> Any:
    """What `Atoms.info` holds, or a result that the frame's calculator holds already: nothing is calculated."""
    if key in frame.info:
        return frame.info[key]
    results = getattr(frame.calc, "results", {})
    if key not in results or frame.calc.check_state(frame):
        return None
    return results[key]


def _as_energy(number: int, energy: Any) -> float:
    try:
        value = float(energy)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"frame {number} has the energy {energy!r}; it must be a number.") from error
    if not np.isfinite(value):
        raise InvalidInputError(f"frame {number} has the energy {value}; it must be finite. Mend or remove the frame.")
    return value


def refuse_unknown_species(frame: Atoms, number: int, species: Sequence[int]) -> None:
    """Throw when a frame has atoms of species that the model was not trained on."""
    from ..descriptors._elements import symbol, symbols

    unknown = np.flatnonzero(~np.isin(frame.numbers, species))
    if unknown.size:
        atom = int(unknown[0])
        raise InvalidInputError(
            f"frame {number}, atom {atom} is {symbol(frame.numbers[atom])}, but the model knows only "
            f"{symbols(species)}; remove the frame, or ask for NaN where such atoms are near (unknown_species='nan', "
            "--unknown-species nan)."
        )
