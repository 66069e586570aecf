"""Descriptors of any kind: the models that they make, where these are kept, and what is refused."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from lpr_fast import InvalidInputError, LinearModel, SparseKernelModel, TrainingRows, fit_files, load_model

from .describing import CENTERS, CUTOFF, FILE, SHELLS, Shells, carrying, shells
from .structures import HYPERS, fitted, gallium_arsenide, rattled, silicon

D = 2 * len(CENTERS)
KINDS = ("array", "function", "object", "module", "file", "object in a file")


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    return carrying([*gallium_arsenide(5), *silicon(4)])


@pytest.fixture(scope="module")
def new() -> list[Atoms]:
    return carrying([*gallium_arsenide(2, seed=50), *silicon(2, seed=60)])


@pytest.fixture
def given(tmp_path: Path) -> Callable[[str], Any]:
    """Each kind of descriptor as a caller gives it."""
    (tmp_path / "toy.py").write_text(FILE)
    kinds = {
        "array": "features",
        "function": shells,
        "object": SHELLS,
        "module": "tests.describing:shells",
        "file": f"{tmp_path / 'toy.py'}:shells",
        "object in a file": f"{tmp_path / 'toy.py'}:here",
    }
    return kinds.__getitem__


def fit(frames: Sequence[Atoms], descriptor: Any, **options: Any) -> SparseKernelModel:
    return SparseKernelModel.fit(
        frames, **{"descriptor": descriptor, "n_active": 15, "regularizer": 1e-3, "zeta": 2, **options}
    )


@pytest.mark.parametrize("kind", KINDS)
def test_rigidities_of_a_kernel_model_are_those_of_the_definition(
    kind: str, given: Callable[[str], Any], frames: list[Atoms], new: list[Atoms]
) -> None:
    model = fit(frames, given(kind))
    x, numbers = np.concatenate(shells(frames)), np.concatenate([frame.numbers for frame in frames])
    active = model.active_features

    def phi_of(features: np.ndarray, species: np.ndarray) -> np.ndarray:
        unit = features / np.linalg.norm(features, axis=1, keepdims=True)
        return np.hstack([(unit @ a.T) ** 2 * (species == s)[:, None] for s, a in active.items()])

    first = np.cumsum([0, *map(len, frames)])
    rows = np.add.reduceat(phi_of(x, numbers), first[:-1])
    K_MM = phi_of(np.concatenate(list(active.values())), np.repeat(list(active), [len(a) for a in active.values()]))
    H = rows.T @ rows + 1e-3 * K_MM
    k = phi_of(np.concatenate(shells(new)), np.concatenate([frame.numbers for frame in new]))
    np.testing.assert_allclose(model.score(new).lpr, 1 / (k * np.linalg.solve(H, k.T).T).sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose(model.phi(new), k, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_rigidities_and_energies_of_a_linear_model_are_those_of_the_definition(
    kind: str, given: Callable[[str], Any], frames: list[Atoms], new: list[Atoms]
) -> None:
    alone, others = [f for f in frames if 14 in f.numbers], [f for f in new if 14 in f.numbers]
    model = LinearModel.fit(alone, descriptor=given(kind), regularizer=1e-2, baseline={"Si": -3.0})
    X = np.array([x.sum(axis=0) for x in shells(alone)])
    y = np.array([frame.info["energy"] + 3.0 * len(frame) for frame in alone])
    H = X.T @ X + 1e-2 * np.eye(D)
    phi = np.concatenate(shells(others))
    np.testing.assert_allclose(model.score(others).lpr, 1 / (phi * np.linalg.solve(H, phi.T).T).sum(axis=1), rtol=1e-6)
    energies = [x.sum(axis=0) @ np.linalg.solve(H, X.T @ y) - 3.0 * len(x) for x in shells(others)]
    np.testing.assert_allclose(model.predict(others).energy, energies, rtol=1e-8)
    np.testing.assert_array_equal(model.features(others), phi)


def test_features_that_structures_carry_give_the_rigidities_of_where_they_come_from() -> None:
    frames, new = gallium_arsenide(6), gallium_arsenide(2, seed=40)
    soap = fitted(frames)
    model = fitted(carrying(frames, soap), hypers=None, descriptor="features")
    expected, found = soap.score(new), model.score(carrying(new, soap))
    for name in ("lpr", "residual", "local_energy"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_files_give_the_bytes_of_structures_in_memory(
    kind: str, given: Callable[[str], Any], frames: list[Atoms], new: list[Atoms], tmp_path: Path
) -> None:
    ase.io.write(tmp_path / "train.traj", frames)
    stored = frames
    if kind == "array":  # which ASE's own format does not keep
        ase.io.write(tmp_path / "train.extxyz", frames)
        stored = ase.io.read(tmp_path / "train.extxyz", ":")
    source = tmp_path / ("train.extxyz" if kind == "array" else "train.traj")
    descriptor = given(kind)
    options: dict[str, Any] = {"descriptor": descriptor, "regularizer": 1e-3}
    kernel = fit_files(source, tmp_path / "k.lpr", n_active=15, zeta=2, **options)
    linear = fit_files(source, tmp_path / "l.lpr", model="linear", **options)
    assert (tmp_path / "k.lpr").read_bytes() == fit(stored, descriptor)._to_bytes()
    assert (tmp_path / "l.lpr").read_bytes() == LinearModel.fit(stored, **options)._to_bytes()
    again = load_model(tmp_path / "k.lpr", None if kind == "array" else descriptor)
    np.testing.assert_array_equal(again.score(new).lpr, kernel.score(new).lpr)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(linear)).score(new).lpr, linear.score(new).lpr)


def test_bits_do_not_depend_on_threads_or_on_how_structures_come(frames: list[Atoms], new: list[Atoms]) -> None:
    expected = fit(frames, shells, n_threads=1)
    model = fit(iter(frames), shells, n_threads=2)
    assert pickle.dumps(model) == pickle.dumps(expected)
    one_by_one = np.concatenate([model.score(frame).lpr for frame in new])
    np.testing.assert_array_equal(model.score(new).lpr, one_by_one)


def test_the_model_file_knows_the_descriptor_by_its_identity_and_cutoff(frames: list[Atoms], tmp_path: Path) -> None:
    path = tmp_path / "m.lpr"
    fit(frames, SHELLS).save(path)
    model = load_model(path)
    assert model.descriptor == {"kind": "external", "name": "shells", "n_centers": 7, "cutoff": CUTOFF}
    with pytest.raises(InvalidInputError, match="made with the descriptor 'shells', which is not in the file"):
        model.score(frames)
    with pytest.raises(InvalidInputError, match="whose name is 'shells', but the given one has 'others'"):
        load_model(path, Shells("others"))
    farther = Shells()
    farther.cutoff = 5.0
    with pytest.raises(InvalidInputError, match=r"whose cutoff is 4\.0, but the given one has 5\.0"):
        load_model(path, farther)
    fitted().save(path)
    with pytest.raises(InvalidInputError, match="needs none: it describes structures itself"):
        load_model(path, SHELLS)


def test_a_file_that_was_changed_is_another_descriptor(frames: list[Atoms], tmp_path: Path) -> None:
    file = tmp_path / "toy.py"
    file.write_text(FILE)
    model = fit(frames, f"{file}:shells")
    model.save(tmp_path / "m.lpr")
    assert model.descriptor is not None
    assert model.descriptor["name"] == "toy.py:shells"
    file.write_text(FILE + "# new\n")
    np.testing.assert_array_equal(model.score(frames[0]).lpr, model.score(frames[0]).lpr)  # as it was imported
    with pytest.raises(InvalidInputError, match="whose sha256 is"):
        load_model(tmp_path / "m.lpr", f"{file}:shells")


def test_rows_that_were_kept_take_more_structures_by_the_same_descriptor(frames: list[Atoms], tmp_path: Path) -> None:
    path, active = tmp_path / "toy.rows", [(0, 0), (0, 5), (1, 1), (5, 0)]
    options: dict[str, Any] = {"n_active": None, "active_set": active}
    fit(frames[:6], SHELLS, keep_rows=path, **options)
    with pytest.raises(InvalidInputError, match="these rows were made with the descriptor 'shells'"):
        TrainingRows(path).append(frames[6:])
    TrainingRows(path, SHELLS).append(frames[6:])
    expected = fit(frames, SHELLS, **options)
    np.testing.assert_array_equal(TrainingRows(path, SHELLS).fit().score(frames).lpr, expected.score(frames).lpr)


def test_atoms_of_unknown_species_and_those_that_see_them_are_marked(frames: list[Atoms]) -> None:
    frame = bulk("Si", cubic=True).repeat((4, 1, 1))
    frame.numbers[0] = 6
    expected = frame.get_all_distances(mic=True)[0] < CUTOFF
    local = fit(frames, SHELLS).score(frame, unknown_species="nan").lpr
    np.testing.assert_array_equal(np.isnan(local), expected)
    anywhere = fit(frames, shells).score(frame, unknown_species="nan").lpr
    np.testing.assert_array_equal(np.isnan(anywhere), np.arange(len(frame)) == 0)
    limited = Shells()
    limited.species = (14, 31, 33)
    assert np.isnan(fit(frames, limited).score(frame, unknown_species="nan").lpr).all()
    with pytest.raises(InvalidInputError, match="frame 0, atom 0 is C, but the model knows only Si, Ga, As"):
        fit(frames, SHELLS).score(frame)
    limited.species = (14,)
    with pytest.raises(InvalidInputError, match="has Si, Ga, As, but the descriptor knows only Si"):
        fit(frames, limited)


def test_large_frames_are_described_as_a_whole(frames: list[Atoms]) -> None:
    large = bulk("Si", cubic=True).repeat((9, 8, 8))
    large.rattle(0.1, seed=3)
    assert len(large) > 4096
    model = fit(frames, SHELLS)
    expected = model.score_features(shells([large])[0], large.numbers)
    np.testing.assert_array_equal(model.score([frames[0], large]).lpr[len(frames[0]) :], expected.lpr)


def test_a_descriptor_cannot_change_the_structures_that_it_sees(frames: list[Atoms]) -> None:
    def spoiling(given: Sequence[Atoms]) -> Any:
        found = shells(given)
        for frame in given:
            frame.positions += 1.0
            frame.arrays.pop("features", None)
            frame.calc = None
        return found

    before = [frame.copy() for frame in frames]
    fit(frames, spoiling).score(frames)
    assert before == frames
    assert all("features" in frame.arrays for frame in frames)


def test_a_structure_of_one_atom_may_be_described_in_a_nested_list(frames: list[Atoms]) -> None:
    lone = Atoms("Si", positions=[[0, 0, 0]])
    model = fit(frames, lambda given: [[1.0, 2.0, len(frame)] for frame in given for _ in frame], n_active=3)
    assert model.features([lone]).shape == (1, 3)


def shape(change: Callable[[Any], Any], only: int) -> Callable[[Sequence[Atoms]], Any]:
    """The toy descriptor, but something else for structures of so many atoms."""

    def describe(given: Sequence[Atoms]) -> Any:
        return change(shells(given)[0]) if len(given[0]) == only else shells(given)

    return describe


def failing(features: Any) -> Any:
    raise KeyError("no\nGaussians")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda x: x[:-1], r"shape \(15, 14\) and dtype float64 for frame 3, which has 16 atoms"),
        (lambda x: x[0], r"shape \(14,\) and dtype float64 for frame 3"),
        (lambda x: x[:, :5], "returned 5 features for frame 3, not 14"),
        (lambda x: x[:, :0], "returned 0 features for frame 3, not 14"),
        (lambda x: x * 1j, "dtype complex128 for frame 3"),
        (lambda x: np.where(x == x[7, 2], np.nan, x), "a feature of atom 7 of frame 3 is NaN"),
        (lambda x: x * 1e200, "of frame 3 is NaN, infinite or above 1e"),
        (lambda x: np.ma.masked_array(x, x > 1), "frame 3 cannot be described: its features are a masked array"),
        (lambda x: None, "dtype object for frame 3"),  # noqa: ARG005
        (lambda x: [[1.0], [2.0, 3.0]], "frame 3 cannot be described: "),  # noqa: ARG005
        (failing, r"frame 3 cannot be described: 'no\\nGaussians'\."),
    ],
)
def test_features_that_cannot_be_used_name_the_frame_and_what_is_wrong(
    change: Callable[[Any], Any], says: str, frames: list[Atoms]
) -> None:
    given = [*frames[:3], rattled(bulk("Si", cubic=True).repeat((2, 1, 1)), 2), *frames[3:]]
    describe = shape(change, only=16)
    with pytest.raises(InvalidInputError, match=says) as refused:
        fit(given, describe)
    assert "\n" not in str(refused.value)
    with pytest.raises(InvalidInputError, match=says):
        LinearModel.fit(given, descriptor=describe, regularizer=1.0)
    model = fit(frames, describe)
    with pytest.raises(InvalidInputError, match=says):
        model.score(given)


def test_integers_and_single_precision_are_features_too(frames: list[Atoms]) -> None:
    counts = fit(frames, lambda given: [np.round(10 * x).astype(np.int32) for x in shells(given)])
    single = fit(frames, lambda given: [np.round(10 * x).astype(np.float32) for x in shells(given)])
    np.testing.assert_array_equal(counts.score(frames).lpr, single.score(frames).lpr)


def test_a_structure_without_the_array_is_named(frames: list[Atoms]) -> None:
    without = frames[2].copy()
    del without.arrays["features"]
    without.arrays["other"] = np.zeros(len(without))
    says = "frame 2 cannot be described: it has no array 'features', but other"
    with pytest.raises(InvalidInputError, match=says):
        fit([*frames[:2], without], "features")
    with pytest.raises(InvalidInputError, match=says):
        fit(frames, "features").score([*frames[:2], without])
    del without.arrays["other"]
    with pytest.raises(InvalidInputError, match="no array 'features', nor any other array of features\\."):
        fit([*frames[:2], without], "features")


class Wrong(Shells):
    """A descriptor whose attributes can be set to anything."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__()
        self.facts = attributes.pop("identity", {"name": "wrong"})
        self.__dict__.update(attributes)

    @property
    def identity(self) -> Any:
        return self.facts


@pytest.mark.parametrize(
    ("descriptor", "says"),
    [
        (3, "give the name of an array"),
        (Shells, "the descriptor is a class; give an instance of it"),
        (Wrong(identity={}), "has no name"),
        (Wrong(identity={"name": "x", "of": object()}), "cannot be written as JSON"),
        (Wrong(identity={"name": "x", "kind": "soap"}), "an entry 'kind'"),
        (Wrong(identity={"name": "x", "cutoff": 3}), "an entry 'cutoff'"),
        (Wrong(cutoff=-1.0), "cutoff of the descriptor is -1"),
        (Wrong(cutoff="5"), "cutoff of the descriptor is '5'"),
        (Wrong(n_features=0), "n_features of the descriptor is 0"),
        (Wrong(n_features=5), "returned 14 features for frame 0, not 5"),
        (Wrong(species=("Si",)), "species of the descriptor has shape"),
        ("tests.describing:", "give package.module:name or file.py:name"),
        ("tests.describing:nothing", "tests.describing has no nothing"),
        ("tests.describing:CUTOFF", "is neither a function of structures nor a descriptor"),
        ("tests.describing:Shells", "is neither a function of structures nor a descriptor"),
        ("tests.nowhere:shells", "tests.nowhere cannot be imported"),
        (".relative:shells", ".relative cannot be imported"),
        ("nowhere.py:shells", "nowhere.py is not a file"),
    ],
)
def test_what_is_no_descriptor_is_refused(descriptor: Any, says: str, frames: list[Atoms]) -> None:
    with pytest.raises(InvalidInputError, match=says):
        fit(frames, descriptor)


@pytest.mark.parametrize(("text", "says"), [("1 +", "invalid syntax"), ("1 / 0", "division by zero")])
def test_a_file_that_cannot_be_run_says_why(text: str, says: str, frames: list[Atoms], tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(InvalidInputError, match=rf"bad\.py cannot be imported \({says}"):
        fit(frames, f"{tmp_path / 'bad.py'}:shells")


def test_soap_and_a_descriptor_are_not_given_together(frames: list[Atoms]) -> None:
    with pytest.raises(InvalidInputError, match="give either hypers"):
        fit(frames, shells, hypers=HYPERS)
    with pytest.raises(InvalidInputError, match="give either hypers"):
        fit(frames, None)
