"""Models of structures: what they say, and of which structures."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import ase.build
import numpy as np
import pytest
from ase import Atoms

from lpr_fast import InvalidInputError, LinearModel, LprWarning, Scores, SparseKernelModel, load_model
from lpr_fast.models._training import fit_baseline

from .structures import HYPERS, fitted, gallium_arsenide, labelled, molecules, rattled, silicon

SETS: dict[str, Callable[[], list[Atoms]]] = {
    "silicon": silicon,
    "gallium arsenide": gallium_arsenide,
    "molecules": molecules,
}


def linear(frames: list[Atoms], **options: object) -> LinearModel:
    return LinearModel.fit(frames, **{"hypers": HYPERS, "regularizer": 1e-3, **options})  # type: ignore[arg-type]


def assert_same_bits(a: Scores, b: Scores) -> None:
    for name in Scores.__dataclass_fields__:
        left, right = getattr(a, name), getattr(b, name)
        if left is None:
            assert right is None
        else:
            np.testing.assert_array_equal(left, right, err_msg=name)


@pytest.mark.parametrize("name", SETS)
def test_elimination_of_species_is_exact(name: str) -> None:
    frames = SETS[name]()
    for model in (fitted(frames, n_active=25), linear(frames)):
        scores, phi = model.score(frames), model.phi(frames)
        np.testing.assert_allclose(scores.lpr, model.rigidity.lpr(phi), rtol=1e-9)
        np.testing.assert_allclose(scores.variance, model.rigidity.variance(phi), rtol=1e-9)
        np.testing.assert_allclose(scores.variance, model.regularizer / scores.lpr, rtol=1e-15)


@pytest.mark.parametrize("name", SETS)
def test_kernels_follow_from_features(name: str) -> None:
    frames = SETS[name]()
    model = fitted(frames, n_active=25, zeta=3)
    x, numbers = model.features(frames), np.concatenate([frame.numbers for frame in frames])
    active = np.concatenate(list(model.active_features.values()))
    species = np.repeat(list(model.active_features), [len(part) for part in model.active_features.values()])
    expected = (x @ active.T) ** 3 * (numbers[:, None] == species)
    np.testing.assert_allclose(model.phi(frames), expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1.0, rtol=1e-14)


@pytest.mark.parametrize("loss", ["total", "per_atom"])
@pytest.mark.parametrize("name", SETS)
def test_predictions_are_those_of_plain_least_squares(name: str, loss: str) -> None:
    frames = SETS[name]()
    weights = np.linspace(0.5, 2.0, len(frames))
    for model in (fitted(frames, n_active=25, loss=loss, weights=weights), linear(frames, loss=loss, weights=weights)):
        sizes = np.array([len(frame) for frame in frames])
        phi = np.split(model.phi(frames), np.cumsum(sizes)[:-1])
        rows = np.array([part.sum(axis=0) for part in phi])
        counts = np.array([[np.sum(frame.numbers == s) for s in model.species] for frame in frames])
        energies = np.array([frame.get_potential_energy() for frame in frames])
        w = np.sqrt(weights / (sizes**2 if loss == "per_atom" else 1))
        baseline = np.linalg.lstsq(w[:, None] * counts, w * energies, rcond=None)[0]
        np.testing.assert_allclose(list(model.baseline.values()), baseline, rtol=1e-9)
        prior = np.eye(model.rigidity.size)
        if isinstance(model, SparseKernelModel):
            prior = (a := np.concatenate(list(model.active_features.values()))) @ a.T
            species = np.repeat(list(model.active_features), [len(part) for part in model.active_features.values()])
            prior = prior**2 * (species[:, None] == species)
        values, vectors = np.linalg.eigh(prior)
        root = (vectors * np.sqrt(np.maximum(values, 0.0))).T
        stacked = np.vstack([w[:, None] * rows, np.sqrt(model.regularizer) * root])
        right = np.concatenate([w * (energies - counts @ baseline), np.zeros(len(root))])
        solution = np.linalg.lstsq(stacked, right, rcond=1e-15)[0]
        np.testing.assert_allclose(model.predict(frames).energy, counts @ baseline + rows @ solution, atol=1e-6)
        local = model.score(frames).local_energy
        totals = [part.sum() for part in np.split(local, np.cumsum(sizes)[:-1])]
        np.testing.assert_allclose(model.predict(frames).energy, totals, rtol=1e-14)


@pytest.mark.parametrize("name", SETS)
def test_bits_do_not_depend_on_batches_or_copies(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = SETS[name]()
    for model in (fitted(frames, n_active=25), linear(frames)):
        expected = model.score(iter(frames))
        model.save(tmp_path / "model.lpr")
        for copy in (pickle.loads(pickle.dumps(model)), load_model(tmp_path / "model.lpr")):
            assert type(copy) is type(model)
            assert_same_bits(copy.score(frames, n_threads=1), expected)
            np.testing.assert_array_equal(copy.predict(frames).energy, model.predict(frames).energy)
            assert copy.provenance == model.provenance
            assert copy.hypers == model.hypers
        for number, frame in enumerate(frames):
            alone, chosen = model.score(frame), expected.frame == number
            np.testing.assert_array_equal(alone.lpr, expected.lpr[chosen])
            np.testing.assert_array_equal(alone.local_energy, expected.local_energy[chosen])
            np.testing.assert_array_equal(alone.atom, expected.atom[chosen])
        monkeypatch.setattr("lpr_fast.atoms._frames.BATCH_ATOMS", 3)
        again = fitted(frames, n_active=25) if isinstance(model, SparseKernelModel) else linear(frames)
        assert_same_bits(again.score(frames), expected)
        monkeypatch.undo()


def test_bits_do_not_depend_on_the_number_of_threads(tmp_path: Path) -> None:
    script = (
        "from tests.structures import *; import hashlib; f = molecules(); m = fitted(f, n_active=25); "
        "print(hashlib.sha256(m._to_bytes() + m.score(f).lpr.tobytes()).hexdigest())"
    )
    printed = set()
    for threads in ("1", "2"):
        limits = dict.fromkeys(("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
        command = [sys.executable, "-c", script]
        root = Path(__file__).parents[1]
        done = subprocess.run(command, env=os.environ | limits, cwd=root, check=True, capture_output=True, text=True)
        printed.add(done.stdout)
    assert len(printed) == 1


def test_without_energies_rigidities_are_the_same_and_energies_absent() -> None:
    frames = silicon()
    with_energies, without = fitted(frames), fitted(frames, energy_key=None)
    bare = [Atoms(frame) for frame in frames]
    for frame in bare:
        frame.calc = None
    for model in (without, fitted(bare)):
        scores = model.score(frames)
        assert scores.local_energy is None
        assert not model.has_energies
        assert model.baseline is None
        np.testing.assert_array_equal(scores.lpr, with_energies.score(frames).lpr)
        with pytest.raises(InvalidInputError, match="fitted without energies"):
            model.predict(frames)


def test_energies_are_found_in_info_too() -> None:
    frames = silicon()
    for frame in frames:
        frame.info["dft"] = frame.get_potential_energy()
    np.testing.assert_array_equal(
        fitted(frames, energy_key="dft").predict(frames).energy, fitted(frames).predict(frames).energy
    )


def test_a_result_of_other_positions_is_no_energy() -> None:
    frames = silicon()
    frames[2].positions += 0.1
    with pytest.raises(InvalidInputError, match="frame 2 was changed after its 'energy' was calculated"):
        fitted(frames)
    frames[2].info["energy"] = -8.0
    assert fitted(frames).has_energies


def test_rare_species_and_small_weights_have_a_baseline_too() -> None:
    counts = np.array([[64, 0]] * 100 + [[0, 1]])
    energies = np.append(np.full(100, -345.6), -3.7)
    for weights in (np.ones(101), np.append(np.ones(100), 1e-9)):
        np.testing.assert_allclose(fit_baseline(counts, energies, weights), [-5.4, -3.7], rtol=1e-7)


def test_what_a_model_tells_of_itself_cannot_change_it() -> None:
    model = fitted()
    before = model._to_bytes()
    model.hypers["cutoff"]["radius"] = 1.0
    model.provenance["pool"]["Si"] = -1
    assert model._to_bytes() == before


def test_a_species_without_any_features_is_left_without_active_environments() -> None:
    hypers = {**HYPERS, "density": {"type": "Gaussian", "width": 0.5, "center_atom_weight": 0.0}}
    frames = [*silicon(), labelled(Atoms("H"), -1.0)]
    with pytest.warns(LprWarning, match="the active set has 11 environments, not 12"):
        model = fitted(frames, hypers=hypers)
    assert model.score(frames[-1]).residual.tolist() == [1.0]


def _score_in_child(model: SparseKernelModel) -> np.ndarray:
    return model.score(silicon(1)).lpr


def test_a_forked_child_scores_what_its_parent_does() -> None:
    model = fitted()
    expected = model.score(silicon(1)).lpr
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(1) as pool, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = pool.apply_async(_score_in_child, (model,)).get(timeout=60)
        np.testing.assert_array_equal(found, expected)


def test_the_baseline_can_be_given_and_moves_no_rigidity() -> None:
    frames = molecules()
    given = fitted(frames, n_active=25, baseline={"H": -1.0, "C": -2.0, 7: -3.0, "O": -4.0})
    assert given.baseline == {1: -1.0, 6: -2.0, 7: -3.0, 8: -4.0}
    np.testing.assert_array_equal(given.score(frames).lpr, fitted(frames, n_active=25).score(frames).lpr)


def test_one_composition_shares_the_energy_out_evenly() -> None:
    baseline = fit_baseline(np.array([[4, 4], [8, 8]]), np.array([-40.0, -80.0]), np.ones(2))
    np.testing.assert_allclose(baseline, -5.0)
    model = fitted(gallium_arsenide())
    np.testing.assert_allclose(*(model.baseline[s] for s in (31, 33)))
    scores = model.score(gallium_arsenide(2, seed=50))
    assert np.isfinite(scores.lpr).all()
    assert np.isfinite(scores.local_energy).all()


def test_an_atom_without_features_has_infinite_rigidity_and_residual_one() -> None:
    hypers = {**HYPERS, "density": {"type": "Gaussian", "width": 0.5, "center_atom_weight": 0.0}}
    frames = [*silicon(), labelled(Atoms("Si"), -1.0)]
    model = fitted(frames, hypers=hypers)
    scores = model.score([frames[-1], frames[0]])
    assert not model.phi(frames[-1]).any()
    assert scores.lpr[0] == np.inf
    assert scores.variance[0] == 0.0
    assert scores.residual[0] == 1.0
    assert scores.local_energy[0] == model.baseline[14]
    assert np.isfinite(scores.lpr[1:]).all()


def test_isolated_atoms_one_atom_cells_and_slabs_can_be_fitted_and_scored() -> None:
    primitive = ase.build.bulk("Si", "bcc", a=3.1)
    slab = ase.build.fcc111("Al", (1, 1, 3), vacuum=4.0)
    slab.pbc = (True, True, False)
    triclinic = Atoms("Si2", [[0, 0, 0], [1.4, 1.2, 1.3]], cell=[[4, 0, 0], [3.1, 2.5, 0], [-1, 2, 3]], pbc=True)
    wire = Atoms("AlSi", [[0, 0, 0], [2.4, 0, 0.2]], cell=[5.0, 0, 0], pbc=(True, False, False))
    frames = [labelled(f, -1.0 - n) for n, f in enumerate([primitive, slab, triclinic, wire, Atoms("Si"), Atoms("Al")])]
    for model in (fitted(frames, n_active=8), linear(frames)):
        scores = model.score(frames)
        assert len(scores) == 10
        assert np.isfinite(scores.lpr).all()
        assert np.isfinite(scores.local_energy).all()


def test_a_species_may_occur_in_training_only_or_once() -> None:
    frames = [*silicon(), labelled(Atoms("SiO", [[0, 0, 0], [1.5, 0, 0]]), -7.0)]
    model = fitted(frames)
    assert len(model.active_features[8]) == 1
    assert np.isfinite(model.score(silicon(2, seed=9)).lpr).all()
    assert np.isfinite(model.score(frames[-1]).lpr).all()


def test_duplicates_are_not_chosen_twice_and_a_warning_says_so() -> None:
    frames = [silicon(1)[0]] * 5
    with pytest.warns(
        LprWarning, match="the active set has 8 environments, not 12, because the pool has no more distinct"
    ):
        model = fitted(frames)
    assert model.rigidity.size == 8
    assert np.isfinite(model.score(frames).lpr).all()


def test_redundant_active_environments_are_dropped_with_a_warning() -> None:
    crystal = labelled(ase.build.bulk("Si", cubic=True), -8.0)
    frames = [crystal, *silicon()]  # before the warning: ASE's copies warn too, with NumPy 2.5
    with pytest.warns(LprWarning, match="1 of 3 active points was dropped as redundant"):
        model = fitted(frames, n_active=None, active_set=[(0, 0), (0, 1), (1, 0)])
    assert model.rigidity.n_dropped == 1
    scores = model.score(frames)
    assert np.isfinite(scores.lpr).all()
    assert scores.residual[0] < 1e-12


def test_a_given_active_set_is_used() -> None:
    frames = molecules()
    pairs = [(5, 0), (0, 0), (0, 1), (2, 2), (6, 0), (1, 1)]
    model = fitted(frames, n_active=None, active_set=pairs)
    x, first = model.features(frames), np.cumsum([0, *(len(frame) for frame in frames)])
    chosen = sorted(int(first[a]) + i for a, i in pairs)
    numbers = np.concatenate([frame.numbers for frame in frames])
    for s, active in model.active_features.items():
        np.testing.assert_array_equal(active, x[[c for c in chosen if numbers[c] == s]])
    assert model.provenance["active_set"] == "given"


def test_models_say_which_environments_are_active(tmp_path: Path) -> None:
    frames = molecules()
    pairs = [(5, 0), (0, 0), (0, 1), (2, 2), (6, 0), (1, 1)]
    for model in (fitted(frames, n_active=None, active_set=pairs), fitted(frames, n_active=25)):
        x, first = model.features(frames), np.cumsum([0, *(len(frame) for frame in frames)])
        places = model.active_environments
        active = np.concatenate(list(model.active_features.values()))
        np.testing.assert_array_equal(x[first[places[:, 0]] + places[:, 1]], active)
        model.save(tmp_path / "model.lpr")
        np.testing.assert_array_equal(load_model(tmp_path / "model.lpr").active_environments, places)
    assert linear(frames).active_environments is None


def test_environments_of_structures_that_are_not_fitted_to_may_become_active() -> None:
    frames, others = silicon(), silicon(4, seed=40)
    model = fitted(frames, active_from=iter(others), n_active=30)
    places, active = model.active_environments, model.active_features[14]
    elsewhere = places[:, 0] < 0
    assert 0 < elsewhere.sum() < len(places)
    x = model.features(frames).reshape(6, 8, -1)
    np.testing.assert_array_equal(x[tuple(places[~elsewhere].T)], active[~elsewhere])
    x = model.features(others).reshape(4, 8, -1)
    np.testing.assert_array_equal(x[tuple((places[elsewhere] * [-1, 1] - [1, 0]).T)], active[elsewhere])
    assert model.provenance["active_from"] == {"n_structures": 4, "n_environments": 32}
    assert model.provenance["n_structures"] == 6
    of_all = fitted([*frames, *others], n_active=30)
    np.testing.assert_array_equal(of_all.active_features[14], active)
    with pytest.raises(InvalidInputError, match="structures of active_from have Ga, As, but the training set has only"):
        fitted(frames, active_from=gallium_arsenide(1))
    with pytest.raises(InvalidInputError, match=r"in active_from, frame 1 has no atoms"):
        fitted(frames, active_from=[frames[0], Atoms()])
    with pytest.raises(InvalidInputError, match="but active_from is for choosing n_active"):
        fitted(frames, n_active=None, active_set=[(0, 0)], active_from=others)


def test_the_active_set_of_another_model_is_taken_as_it_is() -> None:
    frames, others = silicon(), silicon(4, seed=40)
    first = fitted(frames, n_active=5)
    second = fitted(others, n_active=None, active_set=first, regularizer=1.0)
    np.testing.assert_array_equal(second.active_features[14], first.active_features[14])
    assert (second.active_environments == -1).all()
    assert second.provenance["active_set"] == "of another model"
    rows = np.array([second.phi(frame).sum(axis=0) for frame in others])
    H = rows.T @ rows + second.regularizer * (first.active_features[14] @ first.active_features[14].T) ** 2
    phi = second.phi(frames)
    np.testing.assert_allclose(second.score(frames).lpr, 1 / (phi * np.linalg.solve(H, phi.T).T).sum(axis=1), rtol=1e-6)
    with pytest.raises(InvalidInputError, match="the active set is that of a model of Si, but the training set has Ga"):
        fitted(gallium_arsenide(), n_active=None, active_set=first)
    other = {**HYPERS, "cutoff": {"radius": 3.2, "smoothing": {"type": "ShiftedCosine", "width": 0.5}}}
    with pytest.raises(InvalidInputError, match=r"another descriptor \(hypers differs\)"):
        fitted(frames, n_active=None, active_set=first, hypers=other)
    with pytest.raises(InvalidInputError, match="a linear model, which has no active set"):
        fitted(frames, n_active=None, active_set=linear(frames))


def test_a_species_without_active_environments_is_not_seen() -> None:
    frames = molecules()
    model = fitted(frames, n_active=None, active_set=[(0, 0)])  # a carbon
    scores = model.score(frames[0])
    assert np.isfinite(scores.lpr[0])
    assert (scores.lpr[1:] == np.inf).all()
    assert (scores.residual[1:] == 1.0).all()


def test_the_active_set_comes_from_a_bounded_pool_that_provenance_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lpr_fast.models._active_set._POOL_FLOOR", 20)
    monkeypatch.setattr("lpr_fast.models._active_set._POOL_FACTOR", 2)
    models = [fitted(seed=seed, n_active=10) for seed in (0, 0, 1)]
    assert models[0].provenance["pool"] == {"Si": 20}
    assert models[2].provenance["seed"] == 1
    features = [model.active_features[14] for model in models]
    np.testing.assert_array_equal(features[0], features[1])
    assert not np.array_equal(features[0], features[2])


def test_numbers_of_active_environments_can_be_given_for_each_element() -> None:
    model = fitted(molecules(), n_active={"H": 7, "C": 3, "N": 2, 8: 1})
    assert {s: len(x) for s, x in model.active_features.items()} == {1: 7, 6: 3, 7: 2, 8: 1}


def test_weights_of_zero_leave_a_structure_out_of_the_fit() -> None:
    frames = silicon()
    pairs = [(0, 0), (1, 3), (2, 5)]
    some = fitted(frames[:-1], n_active=None, active_set=pairs)
    weighted = fitted(frames, n_active=None, active_set=pairs, weights=[1, 1, 1, 1, 1, 0])
    np.testing.assert_allclose(weighted.score(frames).lpr, some.score(frames).lpr, rtol=1e-9)


def test_the_loss_sets_the_scale() -> None:
    """With one size of structures, mu in proportion: the same model, and rigidities that differ by N^2."""
    frames = silicon()
    total, per_atom = fitted(frames, regularizer=64e-3), fitted(frames, regularizer=1e-3, loss="per_atom")
    np.testing.assert_allclose(per_atom.score(frames).lpr, total.score(frames).lpr / 64, rtol=1e-9)
    np.testing.assert_allclose(per_atom.score(frames).variance, total.score(frames).variance, rtol=1e-9)
    np.testing.assert_allclose(per_atom.predict(frames).energy, total.predict(frames).energy, rtol=1e-9)


def test_unknown_species_are_an_error_or_nan_where_they_are_seen() -> None:
    model = fitted()
    frame = Atoms("SiSiOSi", [[0, 0, 0], [3.4, 0, 0], [6.8, 0, 0], [0, 3.4, 0]])
    with pytest.raises(InvalidInputError, match="frame 1, atom 2 is O, but the model knows only Si"):
        model.score([silicon(1)[0], frame])
    scores = model.score([silicon(1)[0], frame], unknown_species="nan")
    for values in (scores.lpr, scores.variance, scores.residual, scores.local_energy):
        assert np.isnan(values[8:]).tolist() == [False, True, True, False]
        assert np.isfinite(values[:8]).all()
    without = frame[[0, 1, 3]]
    np.testing.assert_array_equal(scores.lpr[[8, 11]], model.score(without).lpr[[0, 2]])


def test_sites_without_an_element_are_seen_by_nobody() -> None:
    model, frame = fitted(), silicon(1)[0]
    with_site = frame + Atoms("X", [frame.positions[0] + [0.0, 0.0, 0.3]])
    scores = model.score(with_site, unknown_species="nan")
    np.testing.assert_array_equal(scores.lpr[:-1], model.score(frame).lpr)
    assert np.isnan(scores.lpr[-1])


def test_a_single_structure_and_no_structure_can_be_scored() -> None:
    model = fitted()
    assert len(model.score(silicon(1)[0])) == 8
    for result in (model.score([]), model.score(iter(()))):
        assert len(result) == 0
        assert result.local_energy.shape == (0,)
    assert model.predict([]).energy.shape == (0,)
    assert model.phi([]).shape == (0, 12)
    assert model.features([]).shape == (0, model.n_features)
    assert linear(silicon()).score([]).residual is None


def test_an_environment_far_from_the_active_set_has_a_high_rigidity_and_a_residual_near_one() -> None:
    """Subset-of-regressors is blind far away: the residual has to be looked at."""
    squeezed = Atoms("Si2", [[0, 0, 0], [0.9, 0, 0]])
    model = fitted(zeta=16)
    near, far = model.score(rattled(silicon(1)[0], 5)), model.score(squeezed)
    assert far.residual.min() > 0.99
    assert far.lpr.min() > near.lpr.max()
    assert near.residual.max() < 0.5


def test_progress_is_reported_in_atoms() -> None:
    told: list[tuple[str, int, int]] = []
    fitted(progress=lambda *facts: told.append(facts))
    for stage in ("rows: descriptors", "rows: kernels and sums"):
        assert (stage, 48, 48) in told
    assert ("factorising", 1, 1) in told
    assert told[-1] == ("training environments: scored", 48, 48)


def test_models_say_what_they_are() -> None:
    assert repr(fitted(molecules(), n_active=25)).startswith("SparseKernelModel(species=[H, C, N, O], n_features=")
    with pytest.raises(InvalidInputError, match="use its fit, or load_model"):
        SparseKernelModel()


def test_fitting_warns_of_nothing_by_itself() -> None:
    frames = silicon()  # ASE's copies warn, with NumPy 2.5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(frames).score(frames)
