"""Features from positions, neighbour search included, on one thread: beside featomic, and what else is installed."""

from __future__ import annotations

import importlib
import importlib.util
import os
import warnings
from pathlib import Path
from typing import Any

import ase.build
import ase.io
import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from featomic import SoapPowerSpectrum
from measure import Job, compare, finish, parser, print_machine
from suite.peak import Peak
from suite.structure_cases import silicon

from lpr_fast.atoms._frames import batch_limit, batches
from lpr_fast.descriptors._soap import Soap
from lpr_fast.descriptors._structures import structure_of

# File, selection and cutoff of real sets, where there are any; see --data.
REAL = {
    "Si": ("si_mlearn.xyz", ":40", 5.0),
    "C": ("carbon_gap20u_dft.xyz", "200:230", 4.5),
    "Mo-Ta": ("alloys_ss_mota.xyz", ":60", 5.0),
    "C, H, N, O": ("molecules_small1000.xyz", ":120", 4.5),
}


def hypers(cutoff: float, n_radial: int, n_angular: int, *, explicit: bool = False) -> dict[str, Any]:
    """Gaussian density, shifted cosine, Gto; with `explicit`, fewer radial functions the larger l is."""
    radial = [{"type": "Gto", "max_radial": max(1, n_radial - 1 - degree)} for degree in range(n_angular)]
    gto = {"type": "Gto", "max_radial": n_radial - 1}
    tensor = {"type": "TensorProduct", "max_angular": n_angular - 1, "radial": gto}
    return {
        "cutoff": {"radius": cutoff, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
        "density": {"type": "Gaussian", "width": 0.4},
        "basis": {"type": "Explicit", "by_angular": dict(enumerate(radial))} if explicit else tensor,
    }


def frames_of(name: str, data: Path | None, *, toy: bool) -> tuple[list[Atoms], float]:
    """Structures, and a cutoff for them."""
    file, selection, cutoff = REAL[name]
    if data is not None:
        frames = ase.io.read(data / file, selection)
        known = {1, 6, 7, 8} if name == "C, H, N, O" else None
        return [frame for frame in frames if known is None or set(frame.numbers) <= known], cutoff
    if name == "Si":
        return silicon("trajectory", toy=toy), cutoff
    rng = np.random.default_rng(0)
    if name == "C, H, N, O":
        bare = [ase.build.molecule(kind) for kind in ("C6H6", "CH3CONH2", "CH3CH2OH", "C4H4NH", "CH3NO2")]
        return [Atoms(m.numbers, m.positions + rng.normal(scale=0.05, size=(len(m), 3))) for m in bare * 24], cutoff
    crystal = ase.build.bulk("C", cubic=True).repeat(2) if name == "C" else ase.build.bulk("Mo", cubic=True).repeat(2)
    frames = []
    for _ in range(2 if toy else 30):
        frame = crystal.copy()
        frame.positions += rng.normal(scale=0.1, size=frame.positions.shape)
        if name == "Mo-Ta":
            frame.numbers[rng.permutation(len(frame))[: len(frame) // 2]] = 73
        frames.append(frame)
    return frames, cutoff


def jobs_of(soap: Soap, frames: list[Atoms], calculators: dict[str, Any]) -> dict[str, Job]:
    """What is timed, ours first."""

    def ours() -> None:
        """Batches as a fit takes them."""
        for _, batch in batches(frames, batch_limit(soap.n_features)):
            soap.compute([structure_of(f, soap.cutoff, soap.species) for f in batch], n_threads=1)

    featomic = SoapPowerSpectrum(**soap.hypers)
    jobs: dict[str, Job] = {"lpr_fast": ours, "featomic": lambda: featomic.compute(frames)}
    return jobs | {name: lambda make=make: make(frames) for name, make in calculators.items()}


def peers(soap: Soap) -> dict[str, Any]:
    """Other packages' power spectra of about the same size, if they are installed."""
    basis, found = soap.hypers["basis"], {}
    if basis["type"] != "TensorProduct":
        return {}
    n, degree = basis["radial"]["max_radial"] + 1, basis["max_angular"]
    if importlib.util.find_spec("dscribe"):
        descriptors = importlib.import_module("dscribe.descriptors")
        options = {"r_cut": soap.cutoff, "n_max": n, "l_max": degree, "sigma": 0.4}
        both = {p: descriptors.SOAP(species=list(soap.species), periodic=p, **options) for p in (True, False)}
        found["DScribe"] = lambda frames: [both[bool(f.pbc.any())].create(f, n_jobs=1) for f in frames]
    if importlib.util.find_spec("quippy"):
        species = " ".join(map(str, soap.species))
        text = (
            f"soap cutoff={soap.cutoff} cutoff_transition_width=0.5 n_max={n} l_max={degree} atom_sigma=0.4 "
            f"n_Z={len(soap.species)} Z={{{species}}} n_species={len(soap.species)} species_Z={{{species}}}"
        )
        quip = importlib.import_module("quippy.descriptors").Descriptor(text)
        found["quippy"] = lambda frames: [quip.calc(f) for f in frames]
    return found


def print_count(soap: Soap, frames: list[Atoms]) -> None:
    """Multiply-adds of an atom, against what the processor does at most."""
    neighbours = np.mean([len(neighbor_list("i", f, soap.cutoff)) / len(f) for f in frames])
    n_lm = sum(n * (2 * degree + 1) for degree, n in zip(soap.table.angular, soap.table.n_radial, strict=True))
    n_channels, n_harmonics = sum(soap.table.n_radial), (soap.table.angular[-1] + 1) ** 2
    squares = sum(n * n * (2 * d + 1) for d, n in zip(soap.table.angular, soap.table.n_radial, strict=True))
    folded = sum(n * (n + 1) / 2 * (2 * d + 1) for d, n in zip(soap.table.angular, soap.table.n_radial, strict=True))
    n_species = len(soap.species)
    spectrum = folded * n_species + squares * n_species * (n_species - 1) / 2
    count = neighbours * (n_lm + 5 * n_channels + 2.2 * n_harmonics) + spectrum
    print(f"{neighbours:.0f} neighbours, D = {soap.n_features}: {count:.0f} multiply-adds for an atom, of which "
          f"{100 * spectrum / count:.0f} % the spectrum")  # fmt: skip


def largest_difference(soap: Soap, frames: list[Atoms]) -> float:
    """Of squared norms of features from featomic's without splines, relative: folding leaves them as they are."""
    plain = soap.hypers | {"basis": {**soap.hypers["basis"], "spline_accuracy": None}}
    squares = np.zeros(sum(map(len, frames)))
    first = np.cumsum([0, *map(len, frames)])
    for block in SoapPowerSpectrum(**plain).compute(frames).blocks():
        atoms = first[block.samples.column("system")] + block.samples.column("atom")
        squares[atoms] += (block.values**2).sum(axis=1)
    ours = soap.compute([structure_of(f, soap.cutoff, soap.species) for f in frames])
    return float(np.abs((ours**2).sum(axis=1) / squares - 1.0).max())


def main() -> None:
    """Print a table for each kind of structure and basis."""
    takes = parser(__doc__)
    takes.add_argument("--data", type=Path, help="folder with the real sets that REAL names; without it, made-up ones")
    options = takes.parse_args()
    os.environ["RAYON_NUM_THREADS"] = "1"  # featomic's, before it is used
    print_machine(1)
    print(f"multiply-adds in registers: {Peak(toy=options.toy).gigaflops(1):.0f} GF/s on one thread")
    sizes = [(3, 3, False)] if options.toy else [(8, 7, False), (10, 9, False), (12, 10, False), (10, 9, True)]
    for name in REAL:
        frames, cutoff = frames_of(name, options.data, toy=options.toy)
        species = sorted({int(s) for frame in frames for s in frame.numbers})
        for n_radial, n_angular, explicit in sizes:
            soap = Soap.from_hypers(hypers(cutoff, n_radial, n_angular, explicit=explicit), species)
            kind = "Explicit, up to" if explicit else ""
            title = f"{name}, {kind} {n_radial} x {n_angular}, {sum(map(len, frames))} atoms"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                compare(title, jobs_of(soap, frames, peers(soap)), options.repeats)
            print_count(soap, frames)
            print(f"squared norms differ from featomic's without splines by {largest_difference(soap, frames):.1e}")
    finish()


if __name__ == "__main__":
    main()
