"""Read by every Python that a test starts, to start and end sooner.

Metatensor and featomic find no torch, whose import takes seconds. ASE has NumPy's trapezoid rule in place of SciPy's,
the one function that it takes from a large package. Modules are not searched for garbage at the end.
"""

from __future__ import annotations

import atexit
import gc
import sys
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType


class _Trapezoid(ModuleType):
    """Is scipy.integrate until its function was taken."""

    def __getattr__(self, name: str) -> object:
        if name != "trapezoid":
            raise AttributeError(name)
        del sys.modules[self.__name__], sys.modules["scipy"].integrate
        return sys.modules["numpy"].trapezoid


class _MakesTrapezoid(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Trapezoid(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing."""


class _Finder:
    """Looks at who imports."""

    @staticmethod
    def find_spec(name: str, *_: object) -> ModuleSpec | None:
        if name == "torch" and _importer(sys._getframe(1)).startswith(("metatensor", "featomic")):
            raise ModuleNotFoundError("torch is not imported here", name=name)
        if name == "scipy.integrate" and _importer(sys._getframe(1)) == "ase.dft":
            return ModuleSpec(name, _MakesTrapezoid())
        return None


def _importer(frame: FrameType | None) -> str:
    """The module whose import statement is being executed."""
    while frame and frame.f_globals.get("__name__", "").startswith("importlib."):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", "")) if frame else ""


sys.meta_path.insert(0, _Finder())
atexit.register(gc.freeze)
