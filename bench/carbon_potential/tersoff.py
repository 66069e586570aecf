"""Structures of carbon with the local energies, forces and virials of Tersoff's potential, by LAMMPS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from ase import Atoms
from ase.calculators.lammps import Prism
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from melts.potentials import Array, dump_of, potentials, run_lammps

# Of carbon: J. Tersoff, Phys. Rev. B 1989, 39, 5566.
FILE = "SiC.tersoff"

# LAMMPS's bar times A^3 in eV.
_BAR = 6.241509e-7


def with_tersoff(frames: Sequence[Atoms]) -> list[Atoms]:
    """Copies with energy, forces, ``info["virial"]`` and the array ``local_energy``, all in eV and Å."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        prisms = [Prism(frame.cell.array, pbc=True) for frame in frames]
        run_lammps(folder, _lines(folder, frames, prisms))
        dumps = dump_of(folder / "dump")
        thermo = np.loadtxt(folder / "thermo", ndmin=2)
    return [_labelled(*parts) for parts in zip(frames, prisms, dumps, thermo, strict=True)]


def _lines(folder: Path, frames: Sequence[Atoms], prisms: Sequence[Prism]) -> Iterator[str]:
    for number, (frame, prism) in enumerate(zip(frames, prisms, strict=True)):
        data = f"{number}.data"
        periodic = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=True)
        write(folder / data, periodic, format="lammps-data", specorder=["C"], atom_style="atomic", prismobj=prism)
        yield from ("clear", "units metal", "atom_style atomic", "atom_modify map array", "box tilt large")
        yield from (f"read_data {data}", "mass 1 12.011", "pair_style tersoff")
        yield from (f"pair_coeff * * {potentials()}/{FILE} C", "compute local all pe/atom")
        yield from ("thermo_style custom pe pxx pyy pzz pyz pxz pxy", "thermo_modify norm no")
        yield from ("dump all all custom 1 one id fx fy fz c_local", "dump_modify all sort id format float %.15g")
        yield from ("run 0", "undump all", "shell cat one >> dump")
        yield 'print "$(pe:%.15g) $(pxx:%.12g) $(pyy:%.12g) $(pzz:%.12g) $(pyz:%.12g) $(pxz:%.12g) $(pxy:%.12g)" &'
        yield "append thermo"


def _labelled(frame: Atoms, prism: Prism, dump: Array, thermo: Array) -> Atoms:
    xx, yy, zz, yz, xz, xy = thermo[1:] * _BAR * frame.get_volume()
    labelled = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=True)
    labelled.info["virial"] = prism.tensor2_to_ase(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])).ravel()
    labelled.set_array("local_energy", dump[:, 4])
    results = {"energy": thermo[0], "forces": prism.vector_to_ase(dump[:, 1:4])}
    labelled.calc = SinglePointCalculator(labelled, **results)
    return labelled
