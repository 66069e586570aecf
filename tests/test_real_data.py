"""Models of DFT structures against plain NumPy: featomic's unfolded features, H as it is defined, energies.

Nothing of the package is used on the other side: features are those that featomic gives, the factor of H comes from one
QR of all rows and the weights from the same QR, and baselines from `numpy.linalg.lstsq`. ``pytest -s`` shows the
disagreements and the errors of the models.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms, io
from featomic import SoapPowerSpectrum
from metatensor import Labels
from scipy.linalg import cholesky, solve_triangular
from scipy.linalg.lapack import dpstrf

from lpr_fast import LinearModel, LprWarning, SparseKernelModel, load_model

from .oracle.problems import Array
from .oracle.soap import products, spread_out

DATA = Path(os.environ.get("LPR_FAST_DATA", Path(__file__).parents[2] / "shared" / "data"))
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"{DATA} is absent: these structures are not distributed; set LPR_FAST_DATA to them"
)


@dataclass(frozen=True)
class Case:
    """A model to fit, to every other one of some structures, and to test on the others."""

    file: str
    frames: str
    regularizer: float
    n_active: int = 0  # 0: a linear model
    zeta: int = 0
    loss: str = "total"
    names_active_set: bool = False  # chosen here, instead of by the model
    is_weighted: bool = False
    largest_error: float = 0.5  # held out, in standard deviations of what the baseline leaves
    max_radial: int = 5
    max_angular: int = 6

    @property
    def hypers(self) -> dict[str, Any]:
        """Parameters of the descriptor."""
        radial = {"type": "Gto", "max_radial": self.max_radial}
        return {
            "cutoff": {"radius": 4.5, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
            "density": {"type": "Gaussian", "width": 0.4},
            "basis": {"type": "TensorProduct", "max_angular": self.max_angular, "radial": radial},
        }


SI, C, MOTA, HCNO = "si_mlearn", "carbon_gap20u_dft", "alloys_ss_mota", "molecules_small1000"
CASES = {
    "silicon": Case(SI, ":", 1e-3, 200, 4, names_active_set=True, is_weighted=True),
    "carbon": Case(C, "::16", 1e-4, 300, 4, "per_atom"),
    "alloys": Case(MOTA, "::2", 1e-4, 120, 2, "per_atom", names_active_set=True, is_weighted=True),
    "molecules": Case(HCNO, "::2", 1e-1, 280, 2, largest_error=0.75, max_radial=3, max_angular=4),
    "linear silicon": Case(SI, "::2", 1e-4, loss="per_atom"),
    "linear alloys": Case(MOTA, "::2", 1e-2, is_weighted=True, max_radial=3, max_angular=4),
    "linear molecules": Case(HCNO, "::4", 1e-2, largest_error=0.75, max_radial=2, max_angular=2),
}


def unfolded(frames: Sequence[Atoms], species: Sequence[int], hypers: dict[str, Any]) -> Array:
    """Features of all atoms, for all pairs of neighbour species in one layout, by featomic without splines."""
    pairs = np.array([(a, b) for a in species for b in species if a <= b], dtype=np.int32)
    spectra = SoapPowerSpectrum(**hypers | {"basis": {**hypers["basis"], "spline_accuracy": None}}).compute(frames)
    spectra = spectra.keys_to_properties(Labels(["neighbor_1_type", "neighbor_2_type"], pairs))
    block = spectra.keys_to_samples("center_type").block()
    order = np.lexsort((block.samples.column("atom"), block.samples.column("system")))
    assert len(order) == sum(map(len, frames))
    return np.asarray(block.values)[order]


def farthest_points(features: Array, count: int) -> list[int]:
    """Rows, each the farthest from those before; the first one is the first."""
    chosen, distances = [0], np.full(len(features), np.inf)
    while len(chosen) < count:
        distances = np.minimum(distances, ((features - features[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(distances.argmax()))
    return chosen


class Reference:
    """What a model should say, by the formulas."""

    def __init__(self, case: Case, train: list[Atoms], test: list[Atoms]) -> None:
        self.case, self.train, self.test = case, train, test
        self.numbers, self.test_numbers = (np.concatenate([a.numbers for a in frames]) for frames in (train, test))
        self.species = sorted(set(self.numbers.tolist()))
        everything = unfolded(train + test, self.species, case.hypers)
        if case.n_active:
            everything /= np.linalg.norm(everything, axis=1)[:, None]
        self.features, self.test_features = np.split(everything, [len(self.numbers)])
        self.given_weights = np.random.default_rng(1).uniform(0.2, 5.0, len(train)) if case.is_weighted else None
        self.active: list[int] = []
        if case.names_active_set:
            for s in self.species:
                of_species = np.flatnonzero(self.numbers == s)
                chosen = farthest_points(self.features[of_species], case.n_active // len(self.species))
                self.active += sorted(of_species[chosen].tolist())

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Structure and atom of the active environments."""
        places = [(a, i) for a, frame in enumerate(self.train) for i in range(len(frame))]
        return [places[m] for m in self.active]

    def phi(self, features: Array, numbers: Array) -> Array:
        if not self.case.n_active:
            return np.hstack([np.where(numbers[:, None] == s, features, 0.0) for s in self.species])
        same = numbers[:, None] == self.numbers[self.active]
        return np.where(same, (features @ self.features[self.active].T) ** self.case.zeta, 0.0)

    @cached_property
    def test_phi(self) -> Array:
        return self.phi(self.test_features, self.test_numbers)

    @cached_property
    def prior_root(self) -> Array:
        if not self.case.n_active:
            return np.eye(self.test_phi.shape[1])
        return cholesky(self.phi(self.features[self.active], self.numbers[self.active]))

    @cached_property
    def weights(self) -> Array:
        """w_A of the loss."""
        given = np.ones(len(self.train)) if self.given_weights is None else self.given_weights
        return given / sizes(self.train) ** 2 if self.case.loss == "per_atom" else given

    @cached_property
    def baseline(self) -> Array:
        root = np.sqrt(self.weights)
        return np.linalg.lstsq(root[:, None] * self.counts(self.train), root * energies(self.train))[0]

    @cached_property
    def solved(self) -> tuple[Array, Array]:
        """R of H = R^T R, and the weights, by a QR of all rows in order of decreasing norm."""
        rows = sums(self.phi(self.features, self.numbers), self.train)
        targets = energies(self.train) - self.counts(self.train) @ self.baseline
        root = np.sqrt(self.weights)
        stacked = np.vstack([root[:, None] * rows, np.sqrt(self.case.regularizer) * self.prior_root])
        right = np.concatenate([root * targets, np.zeros(len(self.prior_root))])
        order = np.argsort(-np.linalg.norm(stacked, axis=1))
        Q, R = np.linalg.qr(stacked[order])
        return R, solve_triangular(R, Q.T @ right[order])

    @cached_property
    def forms(self) -> Array:
        """phi^T H^-1 phi of the held-out atoms."""
        return (solve_triangular(self.solved[0], self.test_phi.T, trans="T") ** 2).sum(axis=0)

    @cached_property
    def local_energies(self) -> Array:
        of_species = self.baseline[np.searchsorted(self.species, self.test_numbers)]
        return self.test_phi @ self.solved[1] + of_species

    def counts(self, frames: list[Atoms]) -> Array:
        return np.array([[(frame.numbers == s).sum() for s in self.species] for frame in frames], dtype=float)


def sizes(frames: list[Atoms]) -> Array:
    return np.array([len(frame) for frame in frames], dtype=float)


def energies(frames: list[Atoms]) -> Array:
    return np.array([frame.get_potential_energy() for frame in frames])


def sums(values: Array, frames: list[Atoms]) -> Array:
    return np.add.reduceat(values, np.cumsum([0, *map(len, frames[:-1])]), axis=0)


def report(name: str, disagreement: float, unit: str = "") -> float:
    print(f"{name}: {disagreement:.1e}{unit}")
    return disagreement


@dataclass(frozen=True)
class Fitted:
    name: str
    model: SparseKernelModel | LinearModel
    reference: Reference


def fit(name: str, case: Case) -> Fitted:
    frames = io.read(DATA / f"{case.file}.xyz", case.frames)
    assert isinstance(frames, list)
    reference = Reference(case, frames[::2], frames[1::2])
    options = {"hypers": case.hypers, "regularizer": case.regularizer, "loss": case.loss}
    options["weights"] = reference.given_weights
    if not case.n_active:
        return Fitted(name, LinearModel.fit(reference.train, **options), reference)
    options |= {"active_set": reference.pairs} if case.names_active_set else {"n_active": case.n_active}
    model = SparseKernelModel.fit(reference.train, zeta=case.zeta, **options)
    if not case.names_active_set:
        reference.active = recovered_active_set(model, reference)
    return Fitted(name, model, reference)


def recovered_active_set(model: SparseKernelModel, reference: Reference) -> list[int]:
    """Training environments that a model chose, in its order: those whose folded features have the same bits."""
    folded = model.features(reference.train)
    found: list[int] = []
    for s, active in model.active_features.items():
        places = {folded[i].tobytes(): int(i) for i in np.flatnonzero(reference.numbers == s)}
        found += [places[row.tobytes()] for row in active]
    assert len(set(found)) == len(found) == reference.case.n_active
    return found


@pytest.fixture(scope="module", params=CASES)
def fitted(request: pytest.FixtureRequest) -> Fitted:
    return fit(request.param, CASES[request.param])


def test_rigidities_variances_and_residuals_are_those_of_their_definition(fitted: Fitted) -> None:
    reference, scores = fitted.reference, fitted.model.score(fitted.reference.test)
    wrong_lpr = report(f"{fitted.name}, LPR, relative", np.abs(scores.lpr * reference.forms - 1).max())
    variance = reference.case.regularizer * reference.forms
    wrong_variance = report(f"{fitted.name}, variance, relative", np.abs(scores.variance / variance - 1).max())
    assert max(wrong_lpr, wrong_variance) < 1e-7
    if not reference.case.n_active:
        assert scores.residual is None
        return
    explained = solve_triangular(reference.prior_root, reference.test_phi.T, trans="T")
    residual = 1.0 - (explained**2).sum(axis=0)
    assert scores.residual is not None
    assert report(f"{fitted.name}, residual", np.abs(scores.residual - residual).max()) < 1e-7
    assert 1e-6 < residual.max() < 1.0  # there is something to compare


def test_active_points_in_the_span_of_the_others_are_dropped_and_change_nothing() -> None:
    """With zeta = 2, so many environments of one lattice span less than their number."""
    with pytest.warns(LprWarning, match="of 200 active points were dropped as redundant"):
        fitted = fit("redundant", replace(CASES["alloys"], n_active=200))
    reference, rigidity = fitted.reference, fitted.model.rigidity
    K_MM = reference.phi(reference.features[reference.active], reference.numbers[reference.active])
    # Kernels of real features are off by more than an ulp: what that leaves of one point cannot be told from knowledge,
    # and the model may keep it. The reference has a basis of the span, chosen for itself: 1e-11 is between rounding and
    # the next pivot, 1e-7.
    _, order, n_independent, _ = dpstrf(K_MM, tol=1e-11)
    assert 0 < rigidity.n_dropped <= len(K_MM) - n_independent
    reference.active = [reference.active[m] for m in sorted(order[:n_independent] - 1)]
    test_rigidities_variances_and_residuals_are_those_of_their_definition(fitted)
    test_energies_are_those_of_plain_least_squares(fitted)


def test_energies_are_those_of_plain_least_squares(fitted: Fitted) -> None:
    """Tolerance: some 1e-16 times the condition of R, up to 1e8 here, times energies of some eV."""
    reference, model = fitted.reference, fitted.model
    assert model.baseline is not None
    assert list(model.baseline) == reference.species
    np.testing.assert_allclose(list(model.baseline.values()), reference.baseline, rtol=0, atol=1e-8)
    local = model.score(reference.test).local_energy
    wrong = np.abs(local - reference.local_energies).max()
    assert report(f"{fitted.name}, local energies", wrong, " eV") < 1e-7
    totals = model.predict(reference.test).energy
    per_atom = (totals - sums(reference.local_energies, reference.test)) / sizes(reference.test)
    assert report(f"{fitted.name}, totals", np.abs(per_atom).max(), " eV/atom") < 1e-7


def test_held_out_errors_are_well_below_the_spread_of_energies(fitted: Fitted) -> None:
    reference, test = fitted.reference, fitted.reference.test
    errors = (fitted.model.predict(test).energy - energies(test)) / sizes(test)
    spread = ((energies(test) - reference.counts(test) @ reference.baseline) / sizes(test)).std()
    error = np.sqrt((errors**2).mean())
    print(f"{fitted.name}: held-out RMSE {1e3 * error:.2f} meV/atom, spread {1e3 * spread:.1f} meV/atom")
    assert error < reference.case.largest_error * spread


def test_scores_from_the_factor_of_one_species_are_those_of_the_full_one(fitted: Fitted) -> None:
    frames = fitted.reference.test
    scores, full = fitted.model.score(frames), fitted.model.rigidity.lpr(fitted.model.phi(frames))
    assert report(f"{fitted.name}, species elimination, relative", np.abs(scores.lpr / full - 1).max()) < 1e-9


def test_the_rigidity_of_a_total_energy_is_that_of_its_definition(fitted: Fitted) -> None:
    """Sums of atoms of several species need all of R."""
    reference = fitted.reference
    expected = solve_triangular(reference.solved[0], sums(reference.test_phi, reference.test).T, trans="T")
    lpr = fitted.model.rigidity.lpr(sums(fitted.model.phi(reference.test), reference.test))
    wrong = np.abs(lpr * (expected**2).sum(axis=0) - 1).max()
    assert report(f"{fitted.name}, LPR of totals, relative", wrong) < 1e-7


def test_bits_survive_files_pickles_and_other_orders(fitted: Fitted, tmp_path: Path) -> None:
    frames = fitted.reference.test[::7]
    expected = fitted.model.score(frames)
    fitted.model.save(tmp_path / "model.lpr")
    for model in (fitted.model, load_model(tmp_path / "model.lpr"), pickle.loads(pickle.dumps(fitted.model))):
        alone = [model.score(frame) for frame in reversed(frames)][::-1]
        for name in ("lpr", "variance", "residual", "local_energy", "atom"):
            if getattr(expected, name) is not None:
                together = np.concatenate([getattr(scores, name) for scores in alone])
                np.testing.assert_array_equal(together, getattr(expected, name))
        totals = np.concatenate([model.predict(frame, n_threads=2).energy for frame in frames])
        np.testing.assert_array_equal(totals, fitted.model.predict(frames, n_threads=1).energy)


@pytest.mark.parametrize(("file", "species"), [(SI, [14]), (MOTA, [42, 73]), (HCNO, [1, 6, 8]), (HCNO, [1, 6, 7, 8])])
def test_folding_features_does_not_change_their_scalar_products(file: str, species: list[int]) -> None:
    case = Case(file, "::5", 1.0)
    frames = [frame for frame in io.read(DATA / f"{file}.xyz", case.frames) if set(frame.numbers) <= set(species)][:30]
    model = SparseKernelModel.fit(frames, hypers=case.hypers, regularizer=1.0, n_active=8, energy_key=None)
    assert model.species == tuple(species)
    folded = model.features(frames)
    plain = spread_out(folded, len(species), case.hypers)
    assert folded.shape[1] < plain.shape[1]
    found = products(folded)
    wrong = float(np.abs(found - products(plain)).max())
    assert report(f"folding, {len(species)} species", wrong) < 1e-14
    theirs = unfolded(frames, species, case.hypers)
    theirs /= np.linalg.norm(theirs, axis=1)[:, None]
    assert report(f"featomic, {len(species)} species", float(np.abs(found - products(theirs)).max())) < 1e-12
