"""Argon is heated in ASE; the run saves a frame and ends when an atom's rigidity falls below a threshold."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.md.langevin import Langevin

from lpr_fast import LprObserver, SparseKernelModel, Trigger

HYPERS = {
    "cutoff": {"radius": 6.0, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
    "density": {"type": "Gaussian", "width": 0.5},
    "basis": {"type": "TensorProduct", "max_angular": 4, "radial": {"type": "Gto", "max_radial": 4}},
}


def crystal() -> Atoms:
    """Argon, 108 atoms."""
    return bulk("Ar", cubic=True).repeat(3)


def warm_crystals(n_structures: int) -> Iterator[Atoms]:
    """Crystals whose atoms are off their sites as they are at some tens of kelvin."""
    generator = np.random.default_rng(0)
    for _ in range(n_structures):
        frame = crystal()
        frame.positions += generator.normal(scale=0.15, size=frame.positions.shape)
        yield frame


def main(folder: Path) -> None:
    """Fit, heat, stop."""
    model = SparseKernelModel.fit(warm_crystals(30), hypers=HYPERS, n_active=200, regularizer=1e-3)
    lowest = model.score(warm_crystals(30)).lpr.min()
    print(f"lowest LPR in the training set: {lowest:.3g}")

    atoms = crystal()
    atoms.calc = LennardJones(sigma=3.4, epsilon=0.0104, rc=7.0)
    dynamics = Langevin(atoms, 5 * units.fs, temperature_K=20, friction=0.02, fixcm=False, rng=np.random.default_rng(1))
    trigger = Trigger(0.3 * lowest, n_steps=2)
    saved = folder / "saved.xyz"
    dynamics.attach(LprObserver(dynamics, model, trigger, path=saved, stop=True), interval=20)
    for kelvin in range(40, 600, 40):
        dynamics.set_temperature(temperature_K=kelvin)
        dynamics.run(100)
        print(f"{kelvin:4d} K, step {dynamics.nsteps}: lowest LPR {atoms.arrays['lpr'].min():.3g}")
        if trigger.is_exhausted:
            print(f"an LPR is below {0.3 * lowest:.3g}: wrote {saved.name}")
            break


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
