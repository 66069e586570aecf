"""Writes the model files of the C++ tests, and what Python scores with them, to cpp/tests/data.

Rigidities of another instruction set or version differ in their last bits: run it only when the tests need other
models.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from lpr_fast.models._scores import LocalModel
from numpy.typing import NDArray

from lpr_fast import HessianAccumulator, Rigidity
from lpr_fast.models import _archive
from lpr_fast.models._basis import Basis, LinearBasis, SparseKernelBasis, normalised

FOLDER = Path(__file__).resolve().parent.parent / "cpp" / "tests" / "data"
HYPERS = {
    "cutoff": {"radius": 3.5, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
    "density": {"type": "Gaussian", "width": 0.5},
    "basis": {"type": "TensorProduct", "max_angular": 1, "radial": {"type": "Gto", "max_radial": 1}},
}
N_FEATURES = 5

Array = NDArray[np.float64]


def environments(n: int, seed: int) -> Array:
    """Features without negative entries, of norms far from one."""
    generator = np.random.default_rng(seed)
    return np.abs(generator.normal(size=(n, N_FEATURES))) * 10.0 ** generator.uniform(-3, 3, size=(n, 1))


def kernel_basis(sizes: dict[int, int], zeta: float) -> SparseKernelBasis:
    """A basis whose active environments are drawn at random; the last two of each species are the same."""
    active = {s: normalised(environments(size, seed=s)) for s, size in sizes.items()}
    for rows in active.values():
        if len(rows) > 1:
            rows[-1] = rows[-2]
    return SparseKernelBasis(active, zeta)


def fitted(basis: Basis, species: tuple[int, ...], *, has_energies: bool) -> LocalModel:
    """A model of twenty structures with five environments each."""
    numbers = np.resize(species, 100)
    features = basis.prepare(environments(100, seed=0))
    phi = np.zeros((100, basis.size))
    for s in species:
        phi[numbers == s, basis.columns(s)] = basis.rows(s, features[numbers == s], 1)
    rows = phi.reshape(20, 5, basis.size).sum(axis=1)
    accumulator = HessianAccumulator(basis.size, labelled=has_energies)
    if has_energies:
        accumulator.add(rows, targets=np.random.default_rng(1).normal(size=20))
    else:
        accumulator.add(rows)
    rigidity = Rigidity.from_accumulator(accumulator, regularizer=1e-3, prior=basis.prior(1))
    return LocalModel.assemble(
        basis,
        rigidity,
        baseline={s: -0.1 * s for s in basis.species} if has_energies else None,
        loss="per_atom",
        provenance={"made by": "tools/cpp_models.py"},
        n_threads=1,
    )


def expected(model: LocalModel) -> str:
    """One line for each environment: species, features, lpr, variance, residual and energy (nan: there is none)."""
    features = environments(24, seed=7)
    features[3] = 0.0
    numbers = np.resize(np.array(model.basis.species), len(features))
    scores = model.score(model.basis.prepare(features), numbers, 1)
    columns = [np.full(len(features), np.nan) if column is None else column for column in scores]
    lines = ["# species, features, lpr, variance, residual, energy (nan: the model has none); from tools/cpp_models.py"]
    for number, row, values in zip(numbers, features, np.stack(columns, axis=1), strict=True):
        lines.append(" ".join([str(number), *map(repr, [*row.tolist(), *values.tolist()])]))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write all of them."""
    one, two = (14,), (14, 31)
    models = {
        "one_species": fitted(kernel_basis({14: 8}, 2.0), one, has_energies=True),
        "two_species": fitted(kernel_basis({8: 0, 14: 5, 31: 4}, 1.5), two, has_energies=True),
        "no_energies": fitted(kernel_basis({14: 6}, 3.0), one, has_energies=False),
        "linear": fitted(LinearBasis(two, N_FEATURES), two, has_energies=True),
    }
    for name, model in models.items():
        (FOLDER / f"{name}.lpr").write_bytes(_archive.to_bytes(model, HYPERS if name == "two_species" else None))
        (FOLDER / f"{name}.txt").write_text(expected(model))


if __name__ == "__main__":
    main()
