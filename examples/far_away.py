"""Subset-of-regressors is blind far from the active set: why the residual stands beside the LPR.

A sparse kernel model of crystalline, defective and amorphous silicon (the data of ``lpr-fast demo``) is asked about
what it knows, about what it hardly knows, and about pairs of atoms in empty space, which are like nothing that it has
ever seen. Their kernels k_Mi with the active set are small, so phi^T H^-1 phi is small, and LPR = 1 / (phi^T H^-1 phi)
is large: the model is firmly pinned down to predicting nothing. The residual k(i,i) - k_Mi^T K_MM^-1 k_Mi tells.

    python examples/far_away.py    (needs pip install "lpr-fast[atoms]")
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import ase.build
import ase.io
from ase import Atoms

from lpr_fast import SparseKernelModel

HYPERS: dict[str, Any] = {
    "cutoff": {"radius": 5.0, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
    "density": {"type": "Gaussian", "width": 0.4},
    "basis": {"type": "TensorProduct", "max_angular": 6, "radial": {"type": "Gto", "max_radial": 7}},
}
POWERS = (4, 12)


def environments(trajectory: list[Atoms]) -> dict[str, Atoms]:
    """What the model is asked about; the first atom counts."""
    return {
        "crystal, 300 K": trajectory[0],
        "melt, 3600 K": trajectory[-1],
        "simple cubic": ase.build.bulk("Si", "sc", a=2.6),
        "pair, 2.2 Å": Atoms("Si2", [[0, 0, 0], [2.2, 0, 0]]),
        "pair, 1.0 Å": Atoms("Si2", [[0, 0, 0], [1.0, 0, 0]]),
    }


def main() -> None:
    """Print LPR, variance and residual for two powers of the kernel."""
    data = Path(str(resources.files("lpr_fast") / "demo_data"))
    training, trajectory = (list(ase.io.iread(data / name)) for name in ("train.xyz", "trajectory.xyz"))
    for zeta in POWERS:
        model = SparseKernelModel.fit(training, hypers=HYPERS, n_active=300, regularizer=1e-3, zeta=zeta)
        print(f"kernel (x . x')^{zeta}\n{'':16}{'LPR':>10}{'variance':>10}{'residual':>10}{'sum':>8}")
        for name, frame in environments(trajectory).items():
            scores = model.score(frame)
            assert scores.residual is not None
            lpr, variance, residual = scores.lpr[0], scores.variance[0], scores.residual[0]
            print(f"{name:16}{lpr:10.2g}{variance:10.1e}{residual:10.4f}{variance + residual:8.3f}")
        print()


if __name__ == "__main__":
    main()
