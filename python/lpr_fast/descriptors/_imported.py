"""Descriptors by import name, so that commands and other processes can find them."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase import Atoms
from numpy.typing import ArrayLike

from .._errors import InvalidInputError
from ._descriptor import Descriptor, FrameFeatures, FunctionDescriptor, checked_descriptor


@dataclass(frozen=True)
class ImportedDescriptor:
    """The descriptor ``package.module:name`` or ``file.py:name``, which can be pickled for other processes.

    Attributes
    ----------
    place, name : str
        Module or absolute path of a file, and a name in it.
    sha256 : str or None
        Hash of the file; None for modules.
    """

    place: str
    name: str
    sha256: str | None

    @property
    def cutoff(self) -> float | None:
        """See `Descriptor`."""
        return self._found().cutoff

    @property
    def species(self) -> tuple[int, ...] | None:
        """See `Descriptor`."""
        return self._found().species

    @property
    def n_features(self) -> int | None:
        """See `Descriptor`."""
        return self._found().n_features

    @property
    def identity(self) -> Mapping[str, Any]:
        """Identity of the descriptor; for a function its import name, and the hash of the file."""
        found = self._found()
        if not isinstance(found, FunctionDescriptor):
            return found.identity
        place = Path(self.place).name if self.sha256 else self.place
        return {"name": f"{place}:{self.name}"} | ({"sha256": self.sha256} if self.sha256 else {})

    def features(self, frames: Sequence[Atoms]) -> ArrayLike | Sequence[ArrayLike]:
        """See `Descriptor`."""
        return self._found().features(frames)

    def _found(self) -> Descriptor:
        shown = f"{self.place}:{self.name}"
        try:
            module = self._module()
        except InvalidInputError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
            raise InvalidInputError(
                f"{self.place} cannot be imported ({reason}); give a Python file, or an installed module."
            ) from error
        if not hasattr(module, self.name):
            raise InvalidInputError(f"{self.place} has no {self.name}; give the name of a descriptor in it.")
        found = getattr(module, self.name)
        if isinstance(found, type) or not (isinstance(found, Descriptor) or callable(found)):
            raise InvalidInputError(f"{shown} is neither a function of structures nor a descriptor; give one of these.")
        return checked_descriptor(found)

    def _module(self) -> Any:
        if self.sha256 is None:
            return importlib.import_module(self.place)
        name = f"lpr_fast_descriptor_{self.sha256[:16]}"
        if name not in sys.modules:
            _load(Path(self.place), name, self.sha256)
        return sys.modules[name]


def imported(specification: str) -> ImportedDescriptor:
    """Return the descriptor ``package.module:name`` or ``file.py:name``.

    Raises
    ------
    InvalidInputError
        For names that cannot be imported, and for objects that are not descriptors.
    """
    place, colon, name = specification.rpartition(":")
    if not colon or not place or not name:
        raise InvalidInputError(
            f"the descriptor is {specification!r}; give package.module:name or file.py:name, the name of a function or "
            "a descriptor there."
        )
    digest = None
    if place.endswith(".py"):
        path = Path(place).resolve()
        if not path.is_file():
            raise InvalidInputError(f"{place} is not a file; give a Python file with the descriptor.")
        place, digest = str(path), hashlib.sha256(path.read_bytes()).hexdigest()
    found = ImportedDescriptor(place, name, digest)
    checked_descriptor(found)
    return found


def _load(path: Path, name: str, sha256: str) -> None:
    """Execute a file as a module if its hash has not changed."""
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InvalidInputError(f"{path} has changed since this run began; do not change it during a run.")
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # dataclasses need their module here
    try:
        exec(compile(content, str(path), "exec"), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise


def as_descriptor(given: Any) -> Descriptor:
    """Convert a descriptor, the name of an array, a function, or an import name to a descriptor.

    Raises
    ------
    InvalidInputError
        For other values.
    """
    if isinstance(given, str):
        return imported(given) if ":" in given else FrameFeatures(given)
    return checked_descriptor(given)
