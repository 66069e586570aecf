"""What sigmas of forces say about errors of forces, plain and with the exact residual, and what they cost."""

from __future__ import annotations

import os
from pathlib import Path
from time import perf_counter
from typing import Any

import ase.build
import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.emt import EMT
from measure import finish, parser, print_machine

from lpr_fast import SparseKernelModel

DATA = Path(os.environ.get("LPR_FAST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SIGMA = {"energy": 0.05, "force": 0.1}


def silicon() -> tuple[list[Atoms], list[Atoms]]:
    """Every third frame to train on but none that is liquid, and all others, with the defects of another set."""
    frames = list(ase.io.iread(DATA / "si_mlearn.xyz", ":"))
    liquid = [np.abs(frame.get_forces()).mean() > 0.6 for frame in frames]
    train = [frame for n, frame in enumerate(frames) if n % 3 == 0 and not liquid[n]]
    chosen = [frame for n, frame in enumerate(frames) if n % 3 == 1]
    return train, [*chosen, *ase.io.iread(DATA / "si_defects_mogroup.xyz", "::20")]


def toys() -> tuple[list[Atoms], list[Atoms]]:
    """Alloys of two metals, trained cold and tested hot."""

    def made(seed: int, by: float) -> Atoms:
        frame = ase.build.bulk("Cu", cubic=True)
        frame.numbers[: seed % 3] = 79
        frame.rattle(by, seed=seed)
        frame.calc = EMT()
        frame.get_forces()
        return frame

    return [made(seed, 0.05) for seed in range(8)], [made(seed, 0.05 * (1 + seed % 4)) for seed in range(20, 32)]


def hypers(*, toy: bool) -> dict[str, Any]:
    """The defaults of the command line, or less."""
    n = 2 if toy else 7
    return {
        "cutoff": {"radius": 3.5 if toy else 5.0, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
        "density": {"type": "Gaussian", "width": 0.4},
        "basis": {"type": "TensorProduct", "max_angular": 2 if toy else 6, "radial": {"type": "Gto", "max_radial": n}},
    }


def print_bins(name: str, sigma: np.ndarray, errors: np.ndarray) -> None:
    """Errors of the fifths of the atoms, by their sigma."""
    print(f"\n{name}\n{'atoms by sigma':<16s}{'mean sigma':>12s}{'RMS error':>12s}{'ratio':>8s}   (eV/Å, a component)")
    for number, part in enumerate(np.array_split(np.argsort(sigma), 5)):
        mean, rms = float(np.sqrt((sigma[part] ** 2).mean())), float(np.sqrt((errors[part] ** 2).mean()))
        print(f"{f'fifth {number + 1}':<16s}{mean:12.4f}{rms:12.4f}{rms / mean:8.2f}")


def main() -> None:
    """Fit, predict, and compare."""
    options = parser(__doc__)
    options.add_argument("--n-active", type=int, default=500)
    chosen = options.parse_args()
    print_machine(chosen.threads)
    train, test = toys() if chosen.toy else silicon()
    n_active = 20 if chosen.toy else chosen.n_active
    model = SparseKernelModel.fit(train, hypers=hypers(toy=chosen.toy), n_active=n_active, sigma=SIGMA)
    print(f"\n{len(train)} structures to train on, {len(test)} to test; {model}")
    errors = np.concatenate([(_forces(model, frame) - frame.get_forces()).ravel() for frame in test])
    seconds = {}
    start = perf_counter()
    model.score(test, n_threads=chosen.threads)
    seconds["scores"] = perf_counter() - start
    for name, exact in (("subset of regressors", False), ("with the exact residual", True)):
        start = perf_counter()
        found = model.force_rigidity(test, exact_residual=exact, n_threads=chosen.threads)
        seconds[name] = perf_counter() - start
        unseen = 0.0 if found.residual_covariance is None else found.residual_covariance
        variances = np.diagonal(found.covariance + unseen, axis1=1, axis2=2)
        components = np.sqrt(found.prior_variance * variances).ravel()
        print_bins(name, components, errors)
        if not exact:
            assert found.residual is not None
            seen = np.repeat(found.residual < np.median(found.residual), 3)
            print_bins("the same, the half of the atoms with the smaller residual", components[seen], errors[seen])
    print()
    for name, taken in seconds.items():
        print(
            f"{name:<26s}{1e3 * taken / sum(map(len, test)):8.3f} ms an atom, {taken / seconds['scores']:6.1f} scores"
        )
    finish()


def _forces(model: SparseKernelModel, frame: Atoms) -> np.ndarray:
    found: np.ndarray = model.rigidity.predict(model.gradient_rows(frame).forces).reshape(-1, 3)
    return found


if __name__ == "__main__":
    main()
