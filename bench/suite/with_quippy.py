"""Energies and forces that a potential of gap_fit predicts; runs where quippy is installed, without lpr_fast.

python with_quippy.py gap.xml frames.xyz predictions.npz
"""

import sys

import ase.io
import numpy as np
from quippy.potential import Potential


def main() -> None:
    """Write energies, (n,), and forces of all atoms, (sum of n_atoms, 3)."""
    potential, frames, output = sys.argv[1:]
    calculator = Potential(param_filename=potential)
    energies, forces = [], []
    for frame in ase.io.iread(frames):
        frame.calc = calculator
        energies.append(frame.get_potential_energy())
        forces.append(frame.get_forces())
    np.savez(output, energies=energies, forces=np.concatenate(forces))


if __name__ == "__main__":
    main()
