"""What a bug report names: versions, instruction set, threads."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from . import __version__
from ._cpu import cpu_info, n_cores, resolve_n_threads

_PACKAGES = ("numpy", "ase", "featomic", "metatensor-core", "spglib", "h5py", "chemfiles", "chemiscope", "torch")


def versions() -> str:
    """Return one line for each thing that a result may depend on."""
    processor = cpu_info()
    lines = [
        f"lpr-fast {__version__}",
        f"{platform.python_implementation()} {platform.python_version()}, {platform.platform()}",
        f"instruction set {processor.instruction_set} (available: {', '.join(processor.available)})",
        f"threads {resolve_n_threads(0)} of {n_cores()} cores",
    ]
    return "\n".join([*lines, *(f"{package} {_installed(package)}" for package in _PACKAGES)])


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
