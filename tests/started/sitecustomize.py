"""Read by every Python that a test starts, to start and end sooner.

Metatensor and featomic find no torch, whose import takes seconds; and modules are not searched for garbage at the end.
"""

from __future__ import annotations

import atexit
import gc
import sys
from importlib.machinery import ModuleSpec
from types import FrameType


class _NotForMetatensor:
    """Tells packages that use torch if it is there, and need it for nothing that is tested, that it is not."""

    @staticmethod
    def find_spec(name: str, *_: object) -> ModuleSpec | None:
        if name == "torch" and _importer(sys._getframe(1)).startswith(("metatensor", "featomic")):
            raise ModuleNotFoundError("torch is not imported here", name=name)
        return None


def _importer(frame: FrameType | None) -> str:
    """The module whose import statement is being executed."""
    while frame and frame.f_globals.get("__name__", "").startswith("importlib."):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", "")) if frame else ""


sys.meta_path.insert(0, _NotForMetatensor())
atexit.register(gc.freeze)
