"""Writes the model files of the C++ tests, and what they have to be scored to, to cpp/tests/data, or another folder.

Rigidities of another instruction set or version differ in their last bits: run it only when the tests need other
models. Files of version 1 are in the folder v1, models that describe structures in the folder structures.
"""

from __future__ import annotations

import itertools
import json
import sys
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import safetensors
import safetensors.numpy
from numpy.polynomial import Legendre, Polynomial
from numpy.typing import NDArray

from lpr_fast import HessianAccumulator, LprWarning, Rigidity, _core
from lpr_fast.models import _safetensors
from lpr_fast.models._archive import DescriptorPart, assembled, with_members
from lpr_fast.models._basis import Basis, LinearBasis, SparseKernelBasis
from lpr_fast.models._calibration import Calibration
from lpr_fast.models._reference import reference_of, with_reference

FOLDER = Path(__file__).resolve().parent.parent / "cpp" / "tests" / "data"
HYPERS = {
    "cutoff": {"radius": 3.5, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
    "density": {"type": "Gaussian", "width": 0.5},
    "basis": {"type": "TensorProduct", "max_angular": 1, "radial": {"type": "Gto", "max_radial": 1}},
}
SOAP = DescriptorPart({"kind": "soap", "hypers": HYPERS})
#: Scores in the tables, in the order of cpp/include/lpr_fast/score_columns.hpp.
COLUMNS = ("lpr", "lpr_held", "variance", "sigma", "residual", "local_energy", "percentile", "verdict", "spread")
N_FEATURES = 5
PAIR = (14, 31)
CUTOFF, ANGULAR, N_RADIAL = 3.5, [0, 1, 2], [3, 2, 2]

Array = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]
Structure = tuple[Array, NDArray[np.int32], Array, NDArray[np.bool_]]


def environments(n: int, seed: int) -> Array:
    """Features without negative entries, of norms far from one."""
    generator = np.random.default_rng(seed)
    return np.abs(generator.normal(size=(n, N_FEATURES))) * 10.0 ** generator.uniform(-3, 3, size=(n, 1))


def kernel_basis(sizes: dict[int, int], zeta: float) -> SparseKernelBasis:
    """A basis whose active environments are drawn at random; the last two of each species are the same."""
    active = {s: _core.normalised(environments(size, seed=s), 1) for s, size in sizes.items()}
    for rows in active.values():
        if len(rows) > 1:
            rows[-1] = rows[-2]
    return SparseKernelBasis(active, zeta)


def fitted(
    basis: Basis,
    species: tuple[int, ...],
    *,
    has_energies: bool = True,
    descriptor: DescriptorPart | None = None,
    features: Array | None = None,
    holds: bool = False,
) -> _core.Model:
    """A model of twenty structures with five environments each, whose species take turns.

    It may hold the means of the species.
    """
    numbers = np.resize(species, 100)
    features = basis.prepare(environments(100, seed=0) if features is None else features)
    phi = np.zeros((100, basis.size))
    for s in species:
        phi[numbers == s, basis.columns(s)] = basis.rows(s, features[numbers == s], 1)
    rows = phi.reshape(20, 5, basis.size).sum(axis=1)
    accumulator = HessianAccumulator(basis.size, labelled=has_energies)
    if has_energies:
        accumulator.add(rows, targets=np.random.default_rng(1).normal(size=20))
    else:
        accumulator.add(rows)
    prior = basis.prior(1)
    rigidity = Rigidity.from_accumulator(accumulator, regularizer=1e-3, prior=prior)
    if holds:
        rigidity = rigidity.holding(np.stack([phi[numbers == s].mean(axis=0) for s in species]))
    return assembled(
        basis,
        rigidity,
        prior,
        baseline={s: -0.1 * s for s in basis.species} if has_energies else None,
        loss="per_atom",
        noise=None,
        provenance={"made by": "tools/cpp_models.py"},
        descriptor=descriptor,
        n_threads=1,
    )


def with_more(model: _core.Model, facts: dict[str, Any], arrays: Arrays) -> bytes:
    """The file of a model to which entries of the text, and arrays, are added."""
    text, present = model.parts()
    whole = _core.Model.from_parts(json.dumps(json.loads(text) | facts), present | arrays)
    return _safetensors.to_bytes(whole.parts()[1], whole.text)


def with_radial_table(model: _core.Model) -> bytes:
    """Radial integrals of the right shapes; the numbers stand for nothing."""
    numbers = np.random.default_rng(2)
    table = {"cutoff": 3.5, "angular": [0, 1], "n_radial": [2, 2], "error": 1e-10, "scatter": 1e-12}
    arrays = {"edges": np.array([0.0, 1.0, 3.5]), "coefficients": numbers.normal(size=(12, 4)), "center": np.ones(2)}
    return with_more(
        model,
        {"descriptor": {**SOAP.facts, **table}},
        {f"descriptor.{name}": values for name, values in arrays.items()},
    )


def with_all_sections(model: _core.Model) -> bytes:
    """All sections that a model may have; but for the reference, the numbers stand for nothing."""
    size = model.size
    content = with_more(
        model,
        {
            "data": {"n_rows": 20, "sum_log_weights": -1.5, "rest_norm": 0.25},
            "calibration": {"scale": 2.0},
            "noise": {"prior_variance": 1.0, "energy": 1e-3, "force": 1e-2, "virial": 1e-1},
        },
        {
            "data.triangle": np.triu(np.ones((size, size))),
            "data.columns": np.arange(size)[::-1].copy(),
            "active.order": np.arange(size),
        },
    )
    return compared(_core.Model.from_bytes(content, "all sections"), environments(100, seed=0))


def compared(model: _core.Model, features: Array) -> bytes:
    """The file of a model that knows how a hundred environments score, whose species take turns."""
    numbers = np.resize(json.loads(model.text)["species"], 100)
    return with_more(with_reference(model, reference_of(model, features, [numbers], np.ones(1), 1)), {}, {})


def calibrated(model: _core.Model, features: Array, *, projected: bool) -> bytes:
    """The same, also calibrated; the numbers stand for nothing."""
    facts = Calibration(4.0, int(projected), 20, 0.5, 0.25).facts()
    return compared(_core.Model.from_bytes(with_more(model, {"calibration": facts}, {}), "calibrated"), features)


def committee(model: _core.Model) -> _core.Model:
    """A model with three members, whose weights stand for nothing."""
    return with_members(model, np.random.default_rng(4).normal(size=(3, model.size)))


def structure(seed: int) -> Structure:
    """Twenty atoms of two species that take turns, in a skewed cell that is periodic along two of its vectors."""
    generator = np.random.default_rng(seed)
    cell = np.array([[6.0, 0.0, 0.5], [2.5, 5.5, 0.0], [0.0, 0.0, 0.0]])
    positions = generator.uniform(-0.5, 1.5, size=(20, 2)) @ cell[:2] + [0.0, 0.0, 1.0] * generator.uniform(
        0, 7, (20, 1)
    )
    return positions, np.resize(np.array(PAIR, dtype=np.int32), 20), cell, np.array([True, True, False])


def made_up_table() -> tuple[list[Polynomial], Array]:
    """Radial functions of the distance, (1 - r / cutoff)^2 times a cubic, and what an atom adds itself."""
    numbers = np.random.default_rng(3)
    to_zero = Polynomial([1.0, -1.0 / CUTOFF]) ** 2
    functions = [to_zero * Polynomial(numbers.normal(size=4)) for _ in range(sum(N_RADIAL))]
    return functions, numbers.normal(size=N_RADIAL[0])


def soap_descriptor() -> DescriptorPart:
    """The made-up table in cells, as a model's file has it."""
    functions, center = made_up_table()
    edges = np.array([0.0, 1.0, 1.5, CUTOFF])
    rows = []
    for low, high in itertools.pairwise(edges):
        in_cell = [f(Polynomial([(low + high) / 2, (high - low) / 2])).coef for f in functions]
        rows.append(np.array([np.pad(powers, (0, 6 - len(powers))) for powers in in_cell]).T)
    facts = {"kind": "soap", "hypers": HYPERS, "cutoff": CUTOFF, "angular": ANGULAR, "n_radial": N_RADIAL}
    arrays = {"edges": edges, "coefficients": np.ascontiguousarray(np.concatenate(rows)), "center": center}
    return DescriptorPart(
        facts | {"error": 1e-10, "scatter": 1e-12}, {f"descriptor.{name}": values for name, values in arrays.items()}
    )


def soap_model() -> bytes:
    """A model of all scores that describes structures; its active environments are some of those it was fitted to."""
    descriptor = soap_descriptor()
    edges, coefficients, center = (
        descriptor.arrays[f"descriptor.{name}"] for name in ("edges", "coefficients", "center")
    )
    soap = _core.Soap(ANGULAR, N_RADIAL, edges, coefficients, center, PAIR)
    structures = [_core.Structure(*structure(seed), PAIR, CUTOFF, "it") for seed in range(5)]
    features = soap.features(structures, [None] * 5, 1)
    comparable = _core.normalised(features, 1)
    basis = SparseKernelBasis({s: comparable[k:60:10].copy() for k, s in enumerate(PAIR)}, 2.0)
    model = fitted(basis, PAIR, descriptor=descriptor, features=features, holds=True)
    return calibrated(committee(model), features, projected=True)


def expected_of_structure(file: Path) -> str:
    """A structure, of which the first atoms are centers, and their scores.

    By NumPy, from what another package reads.
    """
    arrays = safetensors.numpy.load_file(file)
    with safetensors.safe_open(file, "np") as opened:
        facts = json.loads(opened.metadata()["model"])
    atoms = structure(seed=9)
    positions, numbers, cell, periodic = atoms
    n_centers = 14
    lines = [
        "# atoms, centers; cell; periodic; species and position of each atom; scores of each center: "
        f"{', '.join(COLUMNS)}; from tools/cpp_models.py",
        f"{len(numbers)} {n_centers}",
        " ".join(map(repr, cell.ravel().tolist())),
        " ".join(str(int(p)) for p in periodic),
    ]
    for number, position in zip(numbers.tolist(), positions.tolist(), strict=True):
        lines.append(" ".join([str(number), *map(repr, position)]))
    for i in range(n_centers):
        lines.append(" ".join(map(repr, scored(facts, arrays, int(numbers[i]), spectrum(atoms, i)))))
    return "\n".join(lines) + "\n"


def spectrum(atoms: Structure, center: int) -> Array:
    """Folded power spectrum of an atom, by the addition theorem from all pairs of its neighbours."""
    functions, own = made_up_table()
    positions, numbers, cell, _ = atoms
    images = np.array([[a, b, 0] for a in range(-5, 6) for b in range(-5, 6)]) @ cell
    vectors = (positions - positions[center])[:, None] + images
    lengths = np.linalg.norm(vectors, axis=-1)
    near = {s: np.nonzero((lengths < CUTOFF) & (lengths > 0) & (numbers == s)[:, None]) for s in PAIR}
    parts = []
    for s, t in itertools.combinations_with_replacement(PAIR, 2):
        cosines = vectors[near[s]] @ vectors[near[t]].T / np.outer(lengths[near[s]], lengths[near[t]])
        first = 0
        for degree, n in zip(ANGULAR, N_RADIAL, strict=True):
            chosen = functions[first : first + n]
            first += n
            of_s, of_t = (np.array([f(lengths[near[species]]) for f in chosen]) for species in (s, t))
            sums = (2 * degree + 1) / (4 * np.pi) * of_s @ Legendre.basis(degree)(cosines) @ of_t.T
            if degree == 0:
                own_s, own_t = (own * (numbers[center] == species) for species in (s, t))
                plain_s, plain_t = (values.sum(axis=1) / np.sqrt(4 * np.pi) for values in (of_s, of_t))
                sums = np.outer(plain_s + own_s, plain_t + own_t)
            scaled = (-1) ** degree / np.sqrt(2 * degree + 1) * sums
            folded = np.sqrt(2) * scaled + (1 - np.sqrt(2)) * np.diag(np.diag(scaled))
            parts.append(folded[np.triu_indices(n)] if s == t else np.sqrt(2) * scaled.ravel())
    return np.concatenate(parts)


def as_version_1(model: _core.Model) -> bytes:
    """The file as the first version wrote it."""
    text, arrays = model.parts()
    facts = {"hypers" if name == "descriptor" else name: fact for name, fact in json.loads(text).items()}
    facts["hypers"] = facts["hypers"] and facts["hypers"]["hypers"]
    of_factors = [f"{name}.{part}" for name in facts["factors"] for part in ("columns", "triangle")]
    ordered = [name for name in ("active", "weights", *of_factors) if name in arrays]
    with mock.patch.object(_safetensors, "VERSION", 1):
        return _safetensors.to_bytes({name: arrays[name] for name in ordered}, json.dumps(facts))


def expected(file: Path) -> str:
    """One line for each environment: species, features, scores (nan: the model has none).

    By NumPy, from what another package reads.
    """
    arrays = safetensors.numpy.load_file(file)
    with safetensors.safe_open(file, "np") as opened:
        facts = json.loads(opened.metadata()["model"])
    features = environments(24, seed=7)
    features[3] = 0.0
    numbers = np.resize(np.array(facts["species"]), len(features))
    lines = [f"# species, features, {', '.join(COLUMNS)} (nan: the model has none); from tools/cpp_models.py"]
    for number, row in zip(numbers.tolist(), features, strict=True):
        scores = scored(facts, arrays, number, row)
        lines.append(" ".join([str(number), *map(repr, [*row.tolist(), *scores])]))
    return "\n".join(lines) + "\n"


def scored(facts: dict[str, Any], arrays: Arrays, species: int, x: Array) -> list[float]:
    """What the definitions say of one environment: `COLUMNS`, nan for what the model does not have."""
    scores = dict.fromkeys(COLUMNS, np.nan)
    place = facts["species"].index(species)
    width = facts["n_features"] + facts.get("constants", False)
    sizes = facts.get("n_active", [width] * len(facts["species"]))
    columns = slice(sum(sizes[:place]), sum(sizes[: place + 1]))
    phi = np.append(1.0, x) if facts.get("constants", False) else x
    if facts["kind"] == "sparse_kernel":
        norm = np.linalg.norm(x)
        phi = (arrays["active"][columns] @ (x / norm if norm else x)) ** facts["zeta"]
        scores["residual"] = max(1.0 - form(arrays, f"prior.{species}", phi), 0.0)
    square = form(arrays, f"hessian.{species}" if len(facts["species"]) > 1 else "hessian", phi)
    scores["lpr"], scores["variance"] = reciprocal(square), facts["regularizer"] * square
    if "hessian.held" in arrays:
        padded = np.zeros(sum(sizes))
        padded[columns] = phi
        scores["lpr_held"] = reciprocal(held_form(arrays, padded))
    if facts["baseline"] is not None:
        scores["local_energy"] = facts["baseline"][place] + phi @ arrays["weights"][columns]
    if "members" in arrays:
        scores["spread"] = float(np.std(arrays["members"][:, columns] @ phi, ddof=1))
    calibration = facts.get("calibration", {})
    if "prior_variance" in calibration:
        unseen = scores["residual"] if calibration["projected_process"] else 0.0
        scores["sigma"] = np.sqrt(calibration["prior_variance"] * (scores["variance"] + unseen))
    if "reference" in facts:
        scores["percentile"], scores["verdict"] = comparison(facts["reference"], arrays, species, scores)
    return [float(scores[column]) for column in COLUMNS]


def reciprocal(square: float) -> float:
    """The rigidity."""
    return 1.0 / square if square else np.inf


def held_form(arrays: Arrays, phi: Array) -> float:
    """|P R^-T phi|^2 with R of all columns, and P off the span of R^-T of the held rows."""
    kept = arrays["hessian.columns"]
    held = np.linalg.solve(arrays["hessian.triangle"].T, arrays["hessian.held"][:, kept].T)
    solved = np.linalg.solve(arrays["hessian.triangle"].T, phi[kept])
    span = np.linalg.qr(held / np.linalg.norm(held, axis=0)).Q
    for _ in range(2):
        solved = solved - span @ (span.T @ solved)
    return float(solved @ solved)


def comparison(limits: dict[str, float], arrays: Arrays, species: int, scores: dict[str, float]) -> tuple[float, float]:
    """Percentile and verdict. A bin holds the numbers that agree but for the last 42 bits, spread evenly in it."""

    def ends(number: int) -> Array:
        return (np.array([number, number + 1], dtype=np.int64) << 42).view(np.float64)

    def limit(column: str, percent: float) -> Array:
        bins, counts = (arrays[f"reference.{column}.{species}.{part}"] for part in ("bins", "counts"))
        return ends(int(bins[np.argmax(100.0 * counts >= percent * counts[-1])]))

    column = "lpr" if np.isnan(scores["lpr_held"]) else "lpr_held"
    bins, counts = (arrays[f"reference.{column}.{species}.{part}"] for part in ("bins", "counts"))
    below = 0.0
    for number, count in zip(bins.tolist(), np.diff(counts, prepend=0).tolist(), strict=True):
        low, high = ends(number)
        if np.isinf(scores[column]):
            below += count * (high <= scores[column] and np.isfinite(low))
        else:
            below += count * np.clip((scores[column] - low) / (high - low), 0.0, 1.0)
    verdict = float(scores[column] < limit(column, limits["loose"])[0])
    if not np.isnan(scores["residual"]):
        largest = max(limit("residual", limits["unlike"])[1], limits["smallest_residual"])
        verdict = 2.0 if scores["residual"] > largest else verdict
    return 100.0 * below / counts[-1], verdict


def form(arrays: Arrays, factor: str, phi: Array) -> float:
    """|R^-T phi|^2; zero where there is no factor, because there are no active environments."""
    if f"{factor}.triangle" not in arrays:
        return 0.0
    solved = np.linalg.solve(arrays[f"{factor}.triangle"].T, phi[arrays[f"{factor}.columns"]])
    return float(solved @ solved)


def main(folder: Path) -> None:
    """Write all of them."""
    warnings.filterwarnings("ignore", message=".*active points are redundant", category=LprWarning)
    one, two = (14,), (14, 31)
    models = {
        "one_species": fitted(kernel_basis({14: 8}, 2.0), one),
        "two_species": fitted(kernel_basis({8: 0, 14: 5, 31: 4}, 1.5), two, descriptor=SOAP),
        "no_energies": fitted(kernel_basis({14: 6}, 3.0), one, has_energies=False),
        "linear": fitted(LinearBasis(two, N_FEATURES), two),
    }
    held = fitted(kernel_basis({14: 5, 31: 4}, 2.0), two, holds=True)
    constants = fitted(LinearBasis(two, N_FEATURES, has_constants=True), two, holds=True)
    files = {
        "one_species": with_all_sections(models["one_species"]),
        "two_species": with_radial_table(models["two_species"]),
        "no_energies": with_more(models["no_energies"], {}, {}),
        "linear": with_more(models["linear"], {"descriptor": {"kind": "array", "name": "features"}}, {}),
        "held": calibrated(committee(held), environments(100, seed=0), projected=True),
        "constants": calibrated(committee(constants), environments(100, seed=0), projected=False),
    }
    (folder / "v1").mkdir(exist_ok=True)
    for name, model in models.items():
        (folder / "v1" / f"{name}.lpr").write_bytes(as_version_1(model))
    for name, content in files.items():
        (folder / f"{name}.lpr").write_bytes(content)
        (folder / f"{name}.txt").write_text(expected(folder / f"{name}.lpr"))
    (folder / "structures").mkdir(exist_ok=True)
    (folder / "structures" / "soap.lpr").write_bytes(soap_model())
    (folder / "structures" / "soap.txt").write_text(expected_of_structure(folder / "structures" / "soap.lpr"))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
