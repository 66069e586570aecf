"""What files of an older version lack."""

from __future__ import annotations

from .. import _core


def upgraded(model: _core.Model) -> _core.Model:
    """The model as the current version has it."""
    return model
