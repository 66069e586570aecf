"""Structures: the whole way from positions, and the variance that QUIP prints."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import tempfile
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms

from lpr_fast import SparseKernelModel

from .context import MU, Context, print_comparison, spread
from .timing import OURS, Array, Job


def hypers(toy: bool) -> dict[str, object]:  # noqa: FBT001
    """SOAP as the command line has it but for the cutoff, or a small one."""
    max_angular, max_radial = (2, 1) if toy else (6, 7)
    return {
        "cutoff": {"radius": 4.5, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
        "density": {"type": "Gaussian", "width": 0.4},
        "basis": {
            "type": "TensorProduct",
            "max_angular": max_angular,
            "radial": {"type": "Gto", "max_radial": max_radial},
        },
    }


def silicon(name: str, *, toy: bool) -> list[Atoms]:
    """The structures that the demonstration of the package comes with."""
    path = resources.files("lpr_fast") / "demo_data" / f"{name}.xyz"
    return list(ase.io.iread(str(path), index=":2" if toy else ":"))


def positions_case(context: Context) -> None:
    """Case 6: descriptors, scoring, and both together as people call them."""
    training, frames = silicon("train", toy=context.toy), silicon("trajectory", toy=context.toy)
    n_rows = sum(map(len, frames))
    for size in (8,) if context.toy else (300, 1000, 2000):
        model = SparseKernelModel.fit(training, hypers=hypers(context.toy), n_active=size, regularizer=MU)
        features, species = model.features(frames), np.concatenate([frame.numbers for frame in frames], dtype=np.int32)
        for threads in context.thread_counts:
            jobs = [
                Job(f"{OURS}, all", partial(model.score, frames, n_threads=threads), checked=False),
                Job(f"{OURS}, descriptors", partial(model.features, frames), checked=False),
                Job(f"{OURS}, scoring", partial(model._model.score, features, species, threads), checked=False),
            ]
            title = f"6. From positions: silicon, {n_rows} atoms, M = {size}, D = {features.shape[1]}"
            comparison = context.clock.compare(
                title, jobs, threads=threads, n_rows=n_rows, flops=0.0, case=6, M=size, D=features.shape[1]
            )
            print_comparison(comparison)
            taken = comparison.best()
            both = taken[f"{OURS}, descriptors"] + taken[f"{OURS}, scoring"]
            print(f"  share of descriptors: {spread(100 * taken[f'{OURS}, descriptors'] / both, '.0f')} %")
    print("  (featomic takes its threads from RAYON_NUM_THREADS; threads above are those of lpr_fast)")


def quip_case(context: Context) -> None:
    """Case 7: the variance that GAP offers, where quippy is installed."""
    print(
        "\n7. QUIP's local_gap_variance is k(i,i) - k_Mi^T K_MM^-1 k_Mi with its own descriptors: what the active set"
    )
    print("   does not see. It is not the variance of the fit, and its numbers are not to be compared with LPR.")
    if importlib.util.find_spec("quippy") is None:
        print("   quippy is not installed: skipped")
        return
    training, frames = silicon("train", toy=context.toy), silicon("trajectory", toy=context.toy)[:4]
    n_rows = sum(map(len, frames))
    size = 8 if context.toy else 1000
    model = SparseKernelModel.fit(training, hypers=hypers(context.toy), n_active=size, regularizer=MU)
    with tempfile.TemporaryDirectory() as folder:
        potential = fitted_gap(Path(folder), training, size, toy=context.toy)
        jobs = [
            Job(f"{OURS}, from positions", partial(model.score, frames, n_threads=1), checked=False),
            Job("quippy, energies", partial(quip, potential, frames, ""), checked=False),
            Job("quippy, variances", partial(quip, potential, frames, "local_gap_variance"), checked=False),
        ]
        if len(jobs[-1].run()) != n_rows:
            raise RuntimeError("quippy gave no variances")
        title = f"7. QUIP: silicon, {n_rows} atoms, M = {size}"
        repeats = min(context.clock.repeats, 3)
        keys = {"case": 7, "M": size}
        print_comparison(
            context.clock.compare(title, jobs, threads=1, n_rows=n_rows, flops=0.0, repeats=repeats, **keys)
        )


def fitted_gap(folder: Path, training: list[Atoms], size: int, *, toy: bool) -> Any:
    """A GAP with one SOAP as ours."""
    quippy: Any = importlib.import_module("quippy")
    potential: Any = importlib.import_module("quippy.potential")
    ase.io.write(folder / "train.xyz", training, format="extxyz")
    max_angular, max_radial = (2, 2) if toy else (6, 8)
    descriptor = (
        f"soap cutoff=4.5 cutoff_transition_width=0.5 atom_sigma=0.4 l_max={max_angular} n_max={max_radial} zeta=4 "
        f"delta=1.0 covariance_type=dot_product sparse_method=cur_points n_sparse={size}"
    )
    command = [
        str(Path(quippy.__file__).with_name("gap_fit")),
        f"at_file={folder / 'train.xyz'}",
        "energy_parameter_name=energy",
        "force_parameter_name=none",
        "virial_parameter_name=none",
        "default_sigma={0.03 0 0 0}",
        "e0_method=average",
        f"gap={{{descriptor}}}",
        f"gp_file={folder / 'gap.xml'}",
    ]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    gap = potential.Potential(param_filename=str(folder / "gap.xml"))
    gap.set_default_properties(["energy"])
    return gap


def quip(potential: Any, frames: list[Atoms], arguments: str) -> Array:
    """Variances of all atoms if asked for; copies of the frames, so that nothing is remembered."""
    variances = []
    for frame in frames:
        potential.calculate(frame.copy(), properties=["energy"], calc_args=arguments)
        variances.append(potential.extra_results["atoms"].get("local_gap_variance", np.empty(0)))
    return np.concatenate(variances)
