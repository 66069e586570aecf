"""Models from files and pickles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _core
from .._errors import InvalidInputError
from .._files import printable
from ._descriptor_part import upgraded
from ._linear_model import LinearModel
from ._model import StructureModel
from ._sparse_kernel_model import SparseKernelModel

if TYPE_CHECKING:
    from ..descriptors._descriptor import Descriptor


def _assembled(core: _core.Model, descriptor: Descriptor | None) -> StructureModel:
    kind = SparseKernelModel if json.loads(core.text)["kind"] == "sparse_kernel" else LinearModel
    model: StructureModel = kind._of(core, descriptor)
    if model.hypers is not None:
        _ = model.pipeline  # so that a descriptor that does not fit is said now
    return model


def load_model(path: str | PathLike[str], descriptor: Any = None) -> StructureModel:
    """The model that `save`, or ``lpr-fast fit``, wrote: the same bits, nothing is factorised.

    Files of version 1 have no radial integrals: featomic samples them each time such a file is read.

    Parameters
    ----------
    path : path
        The model file.
    descriptor : str, callable or Descriptor, optional
        What the model was fitted with, if that is a function or an object of yours, or where it can be imported from
        (``"file.py:name"``); the file knows its identity only.

    Raises
    ------
    InvalidInputError
        For files that are something else, truncated, changed, or from a newer version, and for another descriptor.
    MissingPackageError
        For files of version 1, where featomic is not installed.
    OSError
        For files that cannot be read.
    """
    return read_model(Path(path), descriptor)[0]


def read_model(path: Path, descriptor: Any = None) -> tuple[StructureModel, str]:
    """See `load_model`; with the model comes the hash of its file."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InvalidInputError(f"{path} is no regular file; give a model file.")
    name, content = printable(path), path.read_bytes()
    core = _core.Model.from_bytes(content, name)
    facts = json.loads(core.text)["descriptor"]
    attached = None if descriptor is None else matching_descriptor(facts, descriptor, name)
    try:
        return _assembled(upgraded(core), attached), hashlib.sha256(content).hexdigest()
    except InvalidInputError as error:
        raise InvalidInputError(f"{name} holds a descriptor that cannot be used: {error}") from error


def matching_descriptor(facts: Mapping[str, Any] | None, given: Any, name: str) -> Descriptor:
    """A descriptor for a file, if it is the one that the file says it was made with.

    Raises
    ------
    InvalidInputError
        For any other.
    """
    from ..descriptors._descriptor import descriptor_facts
    from ..descriptors._imported import as_descriptor

    descriptor = as_descriptor(given)
    if facts is None or facts["kind"] != "external":
        raise InvalidInputError(f"{name} has no use for a descriptor: {_of_what(facts)}; leave it out.")
    found = descriptor_facts(descriptor)
    differing = next((key for key in {**facts, **found} if facts.get(key) != found.get(key)), None)
    if differing is not None:
        raise InvalidInputError(
            f"{name} was made with a descriptor whose {differing} is {facts.get(differing)!r}, but that of the "
            f"given one is {found.get(differing)!r}; give the same one."
        )
    return descriptor


def _of_what(facts: Mapping[str, Any] | None) -> str:
    if facts is None:
        return "it was built from arrays and scores features alone"
    return "it describes structures itself" if facts["kind"] == "soap" else "structures carry its features"
