"""Fits to energies, forces and virials with noise: their rows, their numbers, their bits, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from lpr_fast import InvalidInputError, LinearModel, LprWarning, Noise, SparseKernelModel, TrainingRows, load_model
from lpr_fast.atoms import _frames
from lpr_fast.models import _batches

from .alloys import SIGMA, alloys, virial_of, with_labels, without
from .gradients import best_difference, strained
from .oracle.exact import exact_weights, truth
from .oracle.problems import Problem
from .oracle.report import allowed
from .structures import HYPERS, silicon

Array = np.ndarray

KERNEL: dict[str, Any] = {"hypers": HYPERS, "n_active": 10, "zeta": 2, "delta": 0.7}
LINEAR: dict[str, Any] = {"hypers": HYPERS, "delta": 0.7}
FITS: dict[str, tuple[Any, dict[str, Any]]] = {
    "kernel": (SparseKernelModel, KERNEL),
    "linear": (LinearModel, LINEAR),
}

of_both_kinds = pytest.mark.parametrize("model", FITS)


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    return alloys(8)


def fit(model: str, frames: list[Atoms], **options: Any) -> Any:
    kind, defaults = FITS[model]
    return kind.fit(frames, **{"sigma": SIGMA, **defaults, **options})


def fitted_rows(model: str, frames: list[Atoms], folder: Path, **options: Any) -> tuple[Any, TrainingRows]:
    return fit(model, frames, keep_rows=folder / "train.rows", **options), TrainingRows(folder / "train.rows")


def as_problem(rows: TrainingRows, model: Any, phi: Array) -> Problem:
    """The rows of a fit, with weights and prior, for arithmetic that is not ours."""
    prior = None
    if model.active_features is not None:
        blocks = [active @ active.T for active in model.active_features.values()]
        size = sum(map(len, blocks))
        prior, start = np.zeros((size, size)), 0
        for block in blocks:
            prior[start : start + len(block), start : start + len(block)] = block**model.zeta
            start += len(block)
    return Problem("a fit", phi, model.regularizer, rows=np.array(rows.phi), weights=rows.weight, prior=prior)


def targets_of(rows: TrainingRows, model: Any, frames: list[Atoms]) -> Array:
    """Labels without the baseline, 0 where there are none."""
    atoms = [sum(model.baseline[s] for s in frames[a].numbers.tolist()) for a in rows.structure]
    return np.nan_to_num(rows.target - np.where(rows.kind == 0, atoms, 0.0))


@of_both_kinds
def test_rows_are_differences_of_phi(model: str, frames: list[Atoms], tmp_path: Path) -> None:
    found, rows = fitted_rows(model, frames, tmp_path)
    frame = frames[3]
    phi = np.array(rows.phi[rows.structure == 3])
    random = np.random.default_rng(2)
    weights, direction = random.normal(size=phi.shape[1]), random.normal(size=(len(frame), 3))
    strain = random.normal(size=(3, 3))
    strain += strain.T
    assert len(phi) == 1 + 3 * len(frame) + 6

    def total(changed: Atoms) -> float:
        return float(found.phi([changed]).sum(axis=0) @ weights)

    def moved(step: float) -> float:
        other = frame.copy()
        other.positions += step * direction
        return total(other)

    np.testing.assert_allclose(phi[0] @ weights, total(frame), rtol=1e-12)
    assert best_difference(moved, -float(direction.ravel() @ (phi[1:-6] @ weights))) < 1e-7
    six = np.array([strain[0, 0], strain[1, 1], strain[2, 2], 2 * strain[1, 2], 2 * strain[0, 2], 2 * strain[0, 1]])
    assert best_difference(lambda h: total(strained(frame, h * strain)), -float(six @ (phi[-6:] @ weights))) < 1e-7


@of_both_kinds
def test_labels_stand_beside_the_rows_in_their_order(model: str, frames: list[Atoms], tmp_path: Path) -> None:
    _, rows = fitted_rows(model, frames, tmp_path)
    sizes = [1 + 3 * len(frame) + 6 for frame in frames]
    np.testing.assert_array_equal(rows.structure, np.repeat(np.arange(len(frames)), sizes))
    for number, frame in enumerate(frames):
        here = rows.structure == number
        assert frame.calc is not None
        results = frame.calc.results
        expected = np.concatenate([[results["energy"]], results["forces"].ravel(), virial_of(frame)])
        np.testing.assert_allclose(rows.target[here], expected, rtol=1e-14)
        n_forces = 3 * len(frame)
        np.testing.assert_array_equal(rows.kind[here], np.repeat([0, 1, 2], [1, n_forces, 6]))
        sigmas = np.repeat([SIGMA["energy"], SIGMA["force"], SIGMA["virial"]], [1, n_forces, 6])
        np.testing.assert_allclose(rows.weight[here], sigmas**-2.0, rtol=1e-15)


@of_both_kinds
def test_rigidities_and_weights_are_those_of_exact_arithmetic(model: str, tmp_path: Path) -> None:
    frames = alloys(3)
    found, rows = fitted_rows(model, frames, tmp_path, **({"n_active": 6} if model == "kernel" else {}))
    phi = found.phi(frames[:1])
    problem = as_problem(rows, found, phi)
    exact = truth(problem)
    assert (exact.lpr_errors(1.0 / found.score(frames[:1]).lpr) <= allowed(exact)).all()
    weights = exact_weights(problem, targets_of(rows, found, frames))
    largest = max(abs(float(value)) for value in weights)
    np.testing.assert_allclose(found.rigidity.weights, [float(value) for value in weights], rtol=0, atol=1e-7 * largest)


@pytest.mark.parametrize("kind", ["energy", "force", "virial"])
def test_a_single_kind_of_label_is_enough(kind: str, frames: list[Atoms], tmp_path: Path) -> None:
    sigma = {kind: SIGMA[kind]}
    if kind == "energy":
        found, rows = fitted_rows("kernel", frames, tmp_path, sigma=sigma)
    else:
        with pytest.warns(LprWarning, match="no structure has an energy that is used"):
            found, rows = fitted_rows("kernel", frames, tmp_path, sigma=sigma)
        assert set(found.baseline.values()) == {0.0}
        assert not rows.weight[rows.kind == 0].any()
    assert set(rows.kind[rows.weight > 0].tolist()) == {["energy", "force", "virial"].index(kind)}
    exact = truth(as_problem(rows, found, found.phi(frames[:1])))
    assert (exact.lpr_errors(1.0 / found.score(frames[:1]).lpr) <= allowed(exact)).all()


def test_energies_alone_have_the_rigidities_of_sigmas_and_a_regularizer(frames: list[Atoms]) -> None:
    other = SparseKernelModel.fit(
        frames, hypers=HYPERS, n_active=10, zeta=2, regularizer=1.0 / 0.7**2, sigmas=np.full(len(frames), 0.02)
    )
    found = fit("kernel", frames, sigma={"energy": 0.02})
    np.testing.assert_array_equal(found.score(frames).lpr, other.score(frames).lpr)
    np.testing.assert_array_equal(found.predict(frames).energy, other.predict(frames).energy)
    assert (found.loss, other.loss) == ("noise", "total")


def test_sigma_is_the_inverse_root_of_the_rigidity(frames: list[Atoms], tmp_path: Path) -> None:
    found = fit("kernel", frames)
    found.save(tmp_path / "m.lpr")
    loaded = load_model(tmp_path / "m.lpr")
    assert loaded.loss == "noise"
    assert loaded.regularizer == pytest.approx(0.7**-2, rel=1e-15)
    assert loaded.noise == {"prior_variance": pytest.approx(0.49, rel=1e-15), **SIGMA}
    scores = loaded.score(frames)
    assert scores.sigma is not None
    np.testing.assert_allclose(scores.sigma, scores.lpr**-0.5, rtol=1e-14)
    forces = 3 * sum(map(len, frames))
    assert loaded.provenance["n_labels"] == {"energy": len(frames), "force": forces, "virial": 6 * len(frames)}


@of_both_kinds
def test_neither_threads_nor_batches_change_a_bit(
    model: str, frames: list[Atoms], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = fit(model, frames, n_threads=1)._to_bytes()
    assert fit(model, frames, n_threads=3)._to_bytes() == expected
    monkeypatch.setattr(_frames, "BATCH_ATOMS", 10)
    monkeypatch.setattr(_batches, "TOGETHER", 20)
    assert fit(model, frames, n_threads=2)._to_bytes() == expected


def test_virials_are_minus_volume_times_stress(frames: list[Atoms], tmp_path: Path) -> None:
    _, expected = fitted_rows("kernel", frames, tmp_path)
    others = []
    for frame in frames:
        xx, yy, zz, yz, xz, xy = virial_of(frame)
        others.append(without(frame, "stress"))
        others[-1].info["virial"] = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    (tmp_path / "other").mkdir()
    _, rows = fitted_rows("kernel", others, tmp_path / "other")
    np.testing.assert_array_equal(rows.target, expected.target)
    for frame, other in zip(frames, others, strict=True):
        other.info["stress"] = -other.info.pop("virial").ravel() / frame.cell.volume
    _, rows = fitted_rows("kernel", others, tmp_path / "other", virial_key="stress")
    np.testing.assert_allclose(rows.target, expected.target, rtol=1e-14)


def test_atoms_without_forces_and_masked_ones_have_no_rows(frames: list[Atoms], tmp_path: Path) -> None:
    changed = [without(frame) for frame in frames]
    forces = frames[1].get_forces().copy()
    forces[2], forces[3, 1] = np.nan, np.nan
    with_labels(changed[1], energy=1.0, forces=forces)
    changed[2].arrays["force_mask"] = np.arange(len(changed[2])) == 1
    _, rows = fitted_rows("kernel", changed, tmp_path)
    counts = [np.count_nonzero((rows.structure == a) & (rows.kind == 1)) for a in range(3)]
    assert counts == [3 * len(changed[0]), 3 * len(changed[1]) - 4, 3 * len(changed[2]) - 3]
    assert not (rows.kind[rows.structure == 1] == 2).any()
    left = np.delete(forces.ravel(), [6, 7, 8, 10])
    np.testing.assert_array_equal(rows.target[(rows.structure == 1) & (rows.kind == 1)], left)
    all_of_it = np.array(fitted_rows("kernel", frames, tmp_path)[1].phi)
    first = 1 + 3 * len(frames[0]) + 6
    kept = np.delete(np.arange(3 * len(frames[1])), [6, 7, 8, 10])
    np.testing.assert_array_equal(rows.phi[first + 1 : first + 1 + len(kept)], all_of_it[first + 1 + kept])


def test_forces_that_are_all_masked_are_told(frames: list[Atoms]) -> None:
    masked = [with_labels(frame.copy(), **frame.calc.results) for frame in frames]  # type: ignore[union-attr]
    for frame in masked:
        frame.arrays["force_mask"] = np.ones(len(frame), dtype=bool)
    with pytest.raises(InvalidInputError, match=r"all forces are NaN, masked, or .*; check the labels and the mask"):
        fit("kernel", masked)


def test_a_stress_beside_a_virial_that_is_nan_is_used(frames: list[Atoms], tmp_path: Path) -> None:
    """Files of several sources have columns for all of them."""
    both = broken(frames)
    both[1].info["virial"] = np.full(9, np.nan)
    _, rows = fitted_rows("kernel", both, tmp_path)
    assert np.count_nonzero((rows.structure == 1) & (rows.kind == 2)) == 6


def test_structures_may_lack_any_label(frames: list[Atoms], tmp_path: Path) -> None:
    some = [without(frames[0], "energy"), without(frames[1], "forces"), without(frames[2], "stress", "forces")]
    some += [without(frames[3], "energy", "forces", "stress"), *frames[4:]]
    with pytest.warns(LprWarning, match="1 of 8 structures has no label that is used, the first is number 3"):
        found, rows = fitted_rows("kernel", some, tmp_path)
    assert [np.count_nonzero(rows.structure == a) for a in range(4)] == [1 + 12 + 6, 1 + 6, 1, 1]
    np.testing.assert_array_equal(rows.weight[rows.kind == 0] > 0, [False, True, True, False, *[True] * 4])
    assert found.provenance["n_labels"]["energy"] == 6
    assert (found.provenance["n_structures"], found.provenance["n_zero_weight"]) == (7, 1)
    exact = truth(as_problem(rows, found, found.phi(frames[:1])))
    assert (exact.lpr_errors(1.0 / found.score(frames[:1]).lpr) <= allowed(exact)).all()
    counts = [[np.count_nonzero(frame.numbers == s) for s in (29, 79)] for frame in some]
    energies = [(c, f.get_potential_energy()) for c, f in zip(counts, some, strict=True) if "energy" in f.calc.results]
    matrix = np.array([c for c, _ in energies])
    expected = np.linalg.lstsq(matrix, np.array([e for _, e in energies]), rcond=None)[0]
    np.testing.assert_allclose(list(found.baseline.values()), expected, rtol=1e-10)


def test_held_means_are_those_of_atoms_with_energies(frames: list[Atoms]) -> None:
    some = [without(frames[0], "energy"), *frames[1:]]
    found = fit("kernel", some)
    phi, numbers = found.phi(frames[1:]), np.concatenate([frame.numbers for frame in frames[1:]])
    means = np.stack([phi[numbers == s].mean(axis=0) for s in (29, 79)])
    held = found._model.factor.held()
    assert held is not None
    np.testing.assert_allclose(held[0], means, rtol=1e-12, atol=1e-15)


def test_noise_of_tables_and_keys_weighs_rows(frames: list[Atoms], tmp_path: Path) -> None:
    changed = [without(frame) for frame in frames]
    for number, frame in enumerate(changed):
        frame.info["config_type"] = frames[number].info["config_type"]
        frame.info["my_sigma"] = 0.5 + number
    noise = Noise(energy="my_sigma", force=0.1, tables={"small": {"force": 0.3}})
    found, rows = fitted_rows("kernel", changed, tmp_path, sigma=noise)
    for number in range(len(changed)):
        here = rows.structure == number
        force = 0.3 if number % 2 == 0 else 0.1
        np.testing.assert_allclose(rows.weight[here & (rows.kind == 1)], force**-2, rtol=1e-14)
        np.testing.assert_allclose(rows.weight[here & (rows.kind == 0)], (0.5 + number) ** -2.0, rtol=1e-14)
    assert not (rows.kind == 2).any()
    assert found.noise == {"prior_variance": pytest.approx(0.49), "energy": None, "force": 0.1, "virial": None}
    assert found.provenance["unused_virials_of"] == len(changed)


def test_delta_is_chosen_by_evidence(frames: list[Atoms], tmp_path: Path) -> None:
    found, rows = fitted_rows("kernel", frames, tmp_path, delta="auto")
    choice = found.provenance["delta_choice"]
    assert choice["by"] == "evidence"
    assert found.noise is not None
    assert found.noise["prior_variance"] == pytest.approx(choice["delta"] ** 2, rel=1e-14)
    assert rows.fit(regularizer="auto")._to_bytes() == rows.fit()._to_bytes()
    again = fit("kernel", frames, delta=choice["delta"])
    np.testing.assert_array_equal(again.score(frames).lpr, found.score(frames).lpr)


def test_rigidities_without_labels_count_all_energies_at_their_noise(frames: list[Atoms]) -> None:
    found = fit("kernel", frames, energy_key=None)
    assert not found.has_energies
    np.testing.assert_array_equal(found.score(frames).lpr, fit("kernel", frames).score(frames).lpr)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a regularizer beside sigma": ({"regularizer": 0.1}, "sigma and regularizer were given; leave regularizer out"),
    "a loss beside sigma": ({"loss": "per_atom"}, "sigma and loss were given; leave loss out"),
    "weights beside sigma": ({"weights": np.ones(8)}, "sigma and weights were given; leave weights out"),
    "sigmas beside sigma": ({"sigmas": "energy_sigma"}, "sigma and sigmas were given; leave sigmas out"),
    "delta without sigma": ({"sigma": None}, "delta is 0.7, but sigma was not given"),
    "a delta that is none": ({"delta": -1.0}, "delta is -1; it must be finite and positive"),
    "an unknown kind": ({"sigma": {"stress": 0.1}}, "sigma has the unknown key 'stress'; it may have energy, force"),
    "names that are none": ({"force_key": 3}, "force_key is 3; give the name of the forces of structures"),
    "forces that are nowhere": ({"force_key": "f"}, "sigma is given for forces, but no frame has any named 'f'"),
    "no energies": ({"energy_key": "e"}, "sigma is given for energies, but no frame has any named 'e'"),
    "an array as descriptor": ({"hypers": None, "descriptor": "soap"}, "only SOAP .hypers. has the derivatives"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_settings_are_refused(case: str, frames: list[Atoms]) -> None:
    options, message = BAD[case]
    described = [frame.copy() for frame in frames]
    for frame, original in zip(described, frames, strict=True):
        frame.calc = original.calc
        frame.arrays["soap"] = np.random.default_rng(1).random((len(frame), 5))
    with pytest.raises(InvalidInputError, match=message):
        fit("kernel", described, **options)


def broken(frames: list[Atoms], **changes: Any) -> list[Atoms]:
    """The frames, of which the second has other results; None takes one away."""
    assert frames[1].calc is not None
    results = {name: value for name, value in {**frames[1].calc.results, **changes}.items() if value is not None}
    return [frames[0], with_labels(frames[1].copy(), **results), *frames[2:]]


def test_bad_labels_are_refused(frames: list[Atoms]) -> None:
    for changes, message in (
        ({"forces": np.zeros((3, 3))}, r"'forces' of frame 1 has shape \(3, 3\); give forces of shape \(8, 3\)"),
        ({"forces": np.full((8, 3), np.inf)}, "'forces' of frame 1 has a number that is infinite"),
        ({"stress": np.full(6, 35.0)}, r"'stress' of frame 1 has a component of 35 eV/A\^3, 5.61e\+03 GPa; give"),
        ({"stress": np.zeros(5)}, r"'stress' of frame 1 has shape \(5,\); give nine numbers, or six in the order"),
        ({"stress": np.arange(9.0).reshape(3, 3)}, "'stress' of frame 1 is not symmetric"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            fit("kernel", broken(frames, **changes))


def test_labels_that_contradict_each_other_are_refused(frames: list[Atoms]) -> None:
    both = broken(frames)
    both[1].info["virial"] = frames[1].get_stress(voigt=False) * frames[1].cell.volume  # type: ignore[no-untyped-call]
    with pytest.raises(InvalidInputError, match="frame 1 has a virial and a stress that contradict each other"):
        fit("kernel", both)
    fit("kernel", both, virial_key="stress")
    both[1].info["virial"] *= -1
    fit("kernel", both)
    both[1].arrays["forces"] = 2 * frames[1].get_forces()
    with pytest.raises(InvalidInputError, match="frame 1 has two different sets of forces; keep the right ones"):
        fit("kernel", both)


def test_a_stress_without_a_cell_is_refused(frames: list[Atoms]) -> None:
    frame = frames[1].copy()
    frame.set_cell(None)
    frame.pbc = False
    with_labels(frame, energy=1.0, stress=np.zeros(6))
    with pytest.raises(InvalidInputError, match=r"frame 1 has a stress .'stress'., but no cell with a volume"):
        fit("kernel", [frames[0], frame, *frames[2:]])


def test_labels_of_a_changed_frame_are_refused(frames: list[Atoms]) -> None:
    for label, place in (("forces", "Atoms.arrays"), ("stress", "Atoms.info")):
        changed = broken(frames, energy=None)
        changed[1].calc.results = {label: changed[1].calc.results[label]}  # type: ignore[union-attr]
        changed[1].positions += 0.1
        with pytest.raises(InvalidInputError, match=rf"frame 1 was changed after its '{label}' .* put it into {place}"):
            fit("kernel", changed)


def test_other_names_of_forces_are_told(frames: list[Atoms]) -> None:
    renamed = [without(frame, "forces") for frame in frames]
    for frame, original in zip(renamed, frames, strict=True):
        frame.arrays["REF_forces"] = original.get_forces()
    with pytest.raises(InvalidInputError, match=r"no frame has any \(there are some named 'REF_forces'\); give"):
        fit("kernel", renamed)
    fit("kernel", renamed, force_key="REF_forces")


def test_what_has_no_deviation_is_not_used_and_said(frames: list[Atoms]) -> None:
    found = fit("kernel", frames, sigma={"energy": 0.02})
    assert found.provenance["unused_forces_of"] == found.provenance["unused_virials_of"] == len(frames)
    assert json.loads(json.dumps(found.provenance)) == found.provenance


def test_features_without_derivatives_are_refused_before_anything_is_fitted() -> None:
    step = {**HYPERS, "cutoff": {"radius": 3.5, "smoothing": {"type": "Step"}}}
    frames = silicon(3)
    for frame in frames:
        with_labels(frame, energy=1.0, forces=np.zeros((8, 3)))
    with pytest.raises(InvalidInputError, match="cutoff of the descriptor is a step"):
        fit("kernel", frames, hypers=step, sigma={"energy": 0.1, "force": 0.1})
