"""Models from files and pickles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _core
from .._errors import InvalidInputError
from .._files import shown
from ._soap_part import upgraded

if TYPE_CHECKING:
    from ._model import StructureModel


def hypers_of(facts: Mapping[str, Any]) -> dict[str, Any] | None:
    """Parameters of the descriptor that a model's text names, if it is featomic's."""
    descriptor = facts["descriptor"]
    return descriptor["hypers"] if descriptor is not None and descriptor["kind"] == "soap" else None


def from_pickle(content: bytes) -> StructureModel:
    """A pickled model."""
    return _assembled(_core.Model.from_bytes(content, "the pickled model"))


def _assembled(core: _core.Model) -> StructureModel:
    from ._linear_model import LinearModel
    from ._sparse_kernel_model import SparseKernelModel

    facts = json.loads(core.text)
    kind = SparseKernelModel if facts["kind"] == "sparse_kernel" else LinearModel
    model = kind._of(core)
    if model.hypers is not None:
        _ = model._scorer  # so that a descriptor that does not fit is said now
    return model


def load_model(path: str | PathLike[str]) -> StructureModel:
    """The model that `save`, or ``lpr-fast fit``, wrote: the same bits, nothing is factorised.

    Files of version 1 have no radial integrals: featomic samples them each time such a file is read.

    Raises
    ------
    InvalidInputError
        For files that are something else, truncated, changed, or from a newer version.
    MissingPackageError
        For files of version 1, where featomic is not installed.
    OSError
        For files that cannot be read.
    """
    path = Path(path)
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InvalidInputError(f"{path} is no regular file; give a model file.")
    name = shown(path)
    core = _core.Model.from_bytes(path.read_bytes(), name)
    try:
        return _assembled(upgraded(core))
    except InvalidInputError as error:
        raise InvalidInputError(f"{name} holds a descriptor that cannot be used: {error}") from error
