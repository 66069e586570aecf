"""gap_fit on the bundled silicon, then QUIP's descriptors and its local_gap_variance of the test frames."""

import subprocess
from importlib.metadata import version
from time import perf_counter

import ase.io
import numpy as np
from numpy.typing import NDArray
from quippy.descriptors import Descriptor
from quippy.potential import Potential

SOAP = "soap n_max=4 l_max=3 atom_sigma=0.5 cutoff=4.0 cutoff_transition_width=0.5 n_species=1 species_Z=14 n_Z=1 Z=14"
ZETA, DELTA, SIGMA, N_SPARSE = 4, 2.0, 0.002, 50


def fit(file: str) -> None:
    """Write gap.xml, and sparse.out with the numbers of the sparse points among the training environments."""
    gap = (
        f"{SOAP} zeta={ZETA} delta={DELTA} n_sparse={N_SPARSE} covariance_type=dot_product "
        "sparse_method=cur_points print_sparse_index=sparse.out"
    )
    command = ["gap_fit", f"at_file={file}", "gp_file=gap.xml", f"gap={{{gap}}}"]
    command += [f"default_sigma={{{SIGMA} 0.1 0.1 0.0}}", "e0_method=average", "do_copy_at_file=F"]
    subprocess.run([*command, "sparse_separate_file=F"], check=True, capture_output=True)


def variances(frames: list[ase.Atoms]) -> NDArray[np.float64]:
    """local_gap_variance of all atoms."""
    potential = Potential(param_filename="gap.xml")
    found = []
    for frame in frames:
        wanted = "local_gap_variance"
        potential.calculate(frame, properties=["energy"], calc_args=wanted, add_arrays=wanted)
        found.append(potential.extra_results["atoms"][wanted].copy())
    return np.concatenate(found)


def main() -> None:
    """Read input.npz and write output.npz."""
    given = np.load("input.npz")
    training, test = (
        list(ase.io.iread(str(given[name]), index)) for name, index in (("training", ":"), ("frames", "::3"))
    )
    ase.io.write("train.xyz", training)
    fit("train.xyz")
    descriptor = Descriptor(SOAP)
    train = np.vstack([descriptor.calc(frame)["data"] for frame in training])
    start = perf_counter()
    variance = variances(test)
    seconds = perf_counter() - start
    np.savez(
        "output.npz",
        version=f"quippy-ase {version('quippy-ase')}",
        train=train,
        test=np.vstack([descriptor.calc(frame)["data"] for frame in test]),
        sparse=np.loadtxt("sparse.out", dtype=int).ravel() - 1,
        variance=variance,
        seconds=seconds,
        zeta=ZETA,
        delta=DELTA,
        sigma=SIGMA,
    )


if __name__ == "__main__":
    main()
