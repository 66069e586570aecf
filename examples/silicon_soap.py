"""Rigidity of the atoms of held-out structures, from a sparse kernel model on SOAP power spectra.

The structures of an extended XYZ file are split at random into a training and a held-out set. Each atom is described
by its normalised SOAP power spectrum x, the kernel is k(x, x') = (x . x')^zeta, and M active environments are chosen
from the training set by farthest-point sampling. With K_NM summed over the atoms of each training structure, for a
loss on total energies (their values do not matter), and k_i the kernels of held-out atom i to the active ones::

    H = K_NM^T K_NM + mu K_MM        LPR_i = 1 / (k_i^T H^-1 k_i)        variance_i = mu / LPR_i

The variances are compared with a plain NumPy calculation. The exit status is 0 if they agree to 1e-6, 1 if they do
not, and 2 if the calculation cannot be done. To run it::

    pip install lpr-fast ase featomic scipy
    python silicon_soap.py structures.xyz --n-active 500 --regularizer 1e-4
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from time import perf_counter

try:
    import ase.io
    import numpy as np
    from featomic import FeatomicError, SoapPowerSpectrum
    from numpy.typing import NDArray
    from scipy.linalg import solve_triangular

    from lpr_fast import LprError, Rigidity
except ImportError as error:
    print(f"silicon_soap.py: {error}; what it needs: pip install lpr-fast ase featomic scipy", file=sys.stderr)
    sys.exit(2)


class UserError(Exception):
    """Something that whoever started the script can put right."""


def read_frames(path: Path) -> list[ase.Atoms]:
    """All structures of the file."""
    try:
        return list(ase.io.read(path, ":", format="extxyz"))
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"cannot read {path}: {error}") from error


def describe(frames: list[ase.Atoms], cutoff: float) -> list[NDArray[np.float64]]:
    """Normalised SOAP power spectra of the atoms of each structure, shape (n_atoms, D)."""
    try:
        spectra = SoapPowerSpectrum(
            cutoff={"radius": cutoff, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
            density={"type": "Gaussian", "width": 0.4},
            basis={"type": "TensorProduct", "max_angular": 6, "radial": {"type": "Gto", "max_radial": 7}},
        ).compute(frames)
    except (FeatomicError, ValueError) as error:
        raise UserError(f"featomic cannot describe these structures: {error}") from error
    # Columns of their own for each centre species make the kernels between different species zero.
    x = spectra.keys_to_properties(["center_type", "neighbor_1_type", "neighbor_2_type"]).block().values
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return np.split(x / np.where(norm > 0.0, norm, 1.0), np.cumsum([len(frame) for frame in frames])[:-1])


def farthest_points(x: NDArray[np.float64], n_points: int, first: int) -> list[int]:
    """Rows of x, each next one the least similar to all those before it."""
    if not 0 < n_points <= len(x):
        raise UserError(f"--n-active is {n_points}; the training structures have {len(x)} atoms to choose from.")
    chosen, similarity = [first], np.full(len(x), -np.inf)
    while len(chosen) < n_points:
        similarity = np.maximum(similarity, x @ x[chosen[-1]])
        similarity[chosen[-1]] = np.inf
        chosen.append(int(similarity.argmin()))
    return chosen


def plain_factor(K_NM: NDArray[np.float64], K_MM: NDArray[np.float64], mu: float) -> NDArray[np.float64]:
    """R with R^T R = K_NM^T K_NM + mu K_MM, by NumPy alone."""
    return np.asarray(np.linalg.qr(np.vstack([K_NM, np.sqrt(mu) * np.linalg.cholesky(K_MM).T]), mode="r"))


def run(options: argparse.Namespace) -> int:
    """Do everything, print it, and return the exit status."""
    mu, zeta, rng = options.regularizer, options.zeta, np.random.default_rng(options.seed)
    frames = read_frames(options.path)
    order, n_held_out = rng.permutation(len(frames)), round(options.held_out * len(frames))
    if not 0 < n_held_out < len(frames):
        raise UserError(f"of {len(frames)} structures, --held-out {options.held_out:g} puts none in one of the sets.")
    held_out, training = np.sort(order[:n_held_out]), np.sort(order[n_held_out:])
    times = [perf_counter()]
    x = describe(frames, options.cutoff)
    times.append(perf_counter())
    pool = np.concatenate([x[a] for a in training])
    active = pool[farthest_points(pool, options.n_active, int(rng.integers(len(pool))))]
    times.append(perf_counter())
    K_MM = (active @ active.T) ** zeta
    K_NM = np.stack([((x[a] @ active.T) ** zeta).sum(axis=0) for a in training])
    k = np.concatenate([(x[a] @ active.T) ** zeta for a in held_out])
    times.append(perf_counter())
    rigidity = Rigidity.from_kernels(K_NM, K_MM, regularizer=mu)
    times.append(perf_counter())
    lpr, variance = rigidity.lpr(k), rigidity.variance(k)
    times.append(perf_counter())

    print(f"{len(training)} training structures with {len(pool)} atoms, {len(held_out)} held out with {len(k)} atoms")
    print(f"{rigidity}\n\n{'':16}atoms      LPR: 5 %, 50 %, 95 %         variance: 5 %, 50 %, 95 %")
    key = next((key for key in ("group", "config_type") if all(key in frame.info for frame in frames)), None)
    structure = np.repeat(held_out, [len(frames[a]) for a in held_out])
    group = np.array([str(frames[a].info[key]) if key else "all" for a in structure])
    for name in np.unique(group):
        quantiles = [np.quantile(y[group == name], (0.05, 0.5, 0.95), method="nearest") for y in (lpr, variance)]
        print(f"{name:14}{(group == name).sum():7}" + "".join(f"{q:11.2e}" for q in np.concatenate(quantiles)))
    lowest = int(lpr.argmin())
    atom = lowest - int(np.searchsorted(structure, structure[lowest]))
    print(f"\nlowest LPR: {lpr[lowest]:.3g}, frame {structure[lowest]}, atom {atom} (both counted from 0)")
    parts = "descriptors {:.2f}, active set {:.2f}, kernels {:.2f}, factorising {:.2f}, scoring {:.2f}"
    print("seconds:", parts.format(*np.diff(times)))

    columns = list(range(rigidity.size))
    try:
        R = plain_factor(K_NM, K_MM, mu)
    except np.linalg.LinAlgError:
        print(f"NumPy finds K_MM singular; without the points that lpr_fast dropped ({rigidity.n_dropped}):")
        columns = rigidity.kept_columns
        R = plain_factor(K_NM[:, columns], K_MM[np.ix_(columns, columns)], mu)
    plain = mu * np.square(solve_triangular(R, k[:, columns].T, trans="T")).sum(axis=0)
    difference = float(np.max(np.abs(variance - plain) / np.where(plain > 0.0, plain, 1.0)))
    print(f"largest relative difference from plain NumPy: {difference:.1e} (allowed: 1e-6)")
    return 0 if difference <= 1e-6 else 1


def main() -> int:
    """Read the command line, run, and put what went wrong into one sentence."""
    parser = argparse.ArgumentParser(description="Rigidity of held-out atoms, from a sparse kernel model on SOAP.")
    parser.add_argument("path", type=Path, help="extended XYZ file of structures")
    parser.add_argument("--n-active", type=int, default=500, help="number of active environments, M")
    parser.add_argument("--regularizer", type=float, default=1e-4, help="mu")
    parser.add_argument("--held-out", type=float, default=0.2, help="fraction of the structures")
    parser.add_argument("--zeta", type=int, choices=range(1, 9), default=2, help="power of the kernel")
    parser.add_argument("--cutoff", type=float, default=5.0, help="of the descriptor, in the file's unit of length")
    parser.add_argument("--seed", type=int, default=0, help="of the split and the first active environment")
    try:
        return run(parser.parse_args())
    except (UserError, LprError, np.linalg.LinAlgError) as error:
        print(f"silicon_soap.py: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
