"""Reading of model files."""

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
        _ = model.pipeline  # raises now if the descriptor does not fit
    return model


def load_model(path: str | PathLike[str], descriptor: Any = None) -> StructureModel:
    """Read a model file of ``save`` or of ``lpr-fast fit``.

    The model has the same bits as the one that was saved; nothing is factorised. Files of version 1 have no radial
    integrals: featomic computes them each time such a file is read.

    Parameters
    ----------
    path : path
        The model file.
    descriptor : str, callable or Descriptor, optional
        The descriptor that the model was fitted with, if it was a function or an object of yours, or where to import it
        from (``"file.py:name"``). The file contains its identity only. A model built from arrays gets it as by
        `StructureModel.with_descriptor`.

    Returns
    -------
    SparseKernelModel or LinearModel

    Raises
    ------
    InvalidInputError
        For files that are not model files, truncated, changed, or from a newer version, and for another descriptor.
    MissingPackageError
        For files of version 1, if featomic is not installed.
    OSError
        For files that cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> from lpr_fast import LinearModel, load_model
    >>> X = np.random.default_rng(seed=0).normal(size=(6, 2))
    >>> model = LinearModel.from_arrays(X, [14] * 6, [0, 0, 0, 1, 1, 1], regularizer=1e-3)
    >>> model.save("model.lpr")
    >>> load_model("model.lpr")
    LinearModel(species=[14], n_features=2, size=2, regularizer=0.001, loss='total', has_energies=False)
    """
    return read_model(Path(path), descriptor)[0]


def read_model(path: Path, descriptor: Any = None) -> tuple[StructureModel, str]:
    """Return the model, as `load_model`, and the hash of its file (with a descriptor: of the file of both)."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InvalidInputError(f"{path} is not a regular file; give a model file.")
    name, content = printable(path), path.read_bytes()
    core = _core.Model.from_bytes(content, name)
    facts = json.loads(core.text)["descriptor"]
    if facts is None and descriptor is not None:
        model = _assembled(core, None).with_descriptor(descriptor)
        return model, hashlib.sha256(model._to_bytes()).hexdigest()
    attached = None if descriptor is None else matching_descriptor(facts, descriptor, name)
    try:
        return _assembled(upgraded(core), attached), hashlib.sha256(content).hexdigest()
    except InvalidInputError as error:
        raise InvalidInputError(f"{name} contains a descriptor that cannot be used: {error}") from error


def matching_descriptor(facts: Mapping[str, Any] | None, given: Any, name: str) -> Descriptor:
    """Return the given descriptor if it is the one that the file names.

    Raises
    ------
    InvalidInputError
        For another descriptor.
    """
    from ..descriptors._descriptor import descriptor_facts
    from ..descriptors._imported import as_descriptor

    descriptor = as_descriptor(given)
    if facts is None or facts["kind"] != "external":
        raise InvalidInputError(f"a descriptor was given, but {name} needs none: {_why_none(facts)}; leave it out.")
    found = descriptor_facts(descriptor)
    if found["kind"] != facts["kind"]:
        raise InvalidInputError(
            f"{name} was made with the descriptor {facts['name']!r}, which is not an array of the structures; give it: "
            "package.module:name or file.py:name."
        )
    differing = next((key for key in {**facts, **found} if facts.get(key) != found.get(key)), None)
    if differing is not None:
        raise InvalidInputError(
            f"{name} was made with a descriptor whose {differing} is {facts.get(differing)!r}, but the given one has "
            f"{found.get(differing)!r}; give the same descriptor."
        )
    return descriptor


def _why_none(facts: Mapping[str, Any] | None) -> str:
    if facts is None:
        return "it was built from arrays and scores features only"
    return "it describes structures itself" if facts["kind"] == "soap" else "its features come with the structures"
