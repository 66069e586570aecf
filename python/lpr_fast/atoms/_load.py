"""Models from files and pickles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _core
from .._errors import InvalidInputError
from ._upgrade import upgraded

if TYPE_CHECKING:
    from ._model import StructureModel


def hypers_of(facts: Mapping[str, Any]) -> dict[str, Any] | None:
    """Parameters of the descriptor that a model's text names, if it is featomic's."""
    descriptor = facts["descriptor"]
    return descriptor["hypers"] if descriptor is not None and descriptor["kind"] == "soap" else None


def from_pickle(content: bytes) -> StructureModel:
    """A pickled model; featomic is left alone, for it cannot work in every process that unpickles."""
    name = "the pickled model"
    return _assembled(_core.Model.from_bytes(content, name), name)


def _assembled(core: _core.Model, name: str) -> StructureModel:
    from ._linear_model import LinearModel
    from ._sparse_kernel_model import SparseKernelModel

    facts = json.loads(core.text)
    kind = SparseKernelModel if facts["kind"] == "sparse_kernel" else LinearModel
    hypers = hypers_of(facts)
    if hypers is None:
        return kind._from_parts(None, core)
    from ..descriptors._soap import Soap

    try:
        soap = Soap(hypers, facts["species"])
    except InvalidInputError as error:
        raise InvalidInputError(f"{name} holds hypers that cannot be used: {error}") from error
    return kind._from_parts(soap, core)


def load_model(path: str | PathLike[str]) -> StructureModel:
    """The model that `save`, or ``lpr-fast fit``, wrote: the same bits, nothing is factorised.

    Raises
    ------
    InvalidInputError
        For files that are something else, truncated, changed, or from a newer version.
    OSError
        For files that cannot be read.
    """
    path = Path(path)
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InvalidInputError(f"{path} is no regular file; give a model file.")
    model = _assembled(upgraded(_core.Model.from_bytes(path.read_bytes(), _shown(path))), str(path))
    if model._soap is not None and model._soap.n_features != model.n_features:
        raise InvalidInputError(
            f"{path} has {model.n_features} features, but this featomic makes {model._soap.n_features} from its "
            "hypers; fit it again."
        )
    return model


def _shown(path: Path) -> str:
    """A path as C++ can name it, whatever its bytes."""
    return str(path).encode(errors="backslashreplace").decode()
