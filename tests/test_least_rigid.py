"""The least rigid environments that are written differ from one another, and come with what is around them."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list

from lpr_fast import SparseKernelModel, merge_shards, score_trajectory
from lpr_fast.descriptors._descriptor import FrameFeatures

from .structures import HYPERS, fitted, gallium_arsenide, rattled, silicon

Place = tuple[int, int]

CUTOFF = HYPERS["cutoff"]["radius"]


@pytest.fixture(scope="module")
def model() -> SparseKernelModel:
    return fitted()


def large(seed: int) -> Atoms:
    """512 atoms: a cluster of two cutoffs has fewer."""
    return rattled(bulk("Si", cubic=True).repeat((4, 4, 4)), seed)


def written(
    model: SparseKernelModel, frames: list[Atoms], count: int, folder: Path
) -> tuple[list[Atoms], dict[int, Place]]:
    """What is in the file, and the place of each rank."""
    score_trajectory(model, frames, [folder / "out.csv"], least_rigid=count, unknown_species="nan")
    found, places = ase.io.read(folder / "out.csv.least-rigid.extxyz", ":"), {}
    for frame in found:
        for atom in np.flatnonzero(frame.arrays["lpr_rank"]):
            number = frame.info.get("lpr_atom", atom)
            places[int(frame.arrays["lpr_rank"][atom])] = (frame.info["lpr_frame"], int(number))
    return found, places


def expected(model: SparseKernelModel, frames: list[Atoms], count: int) -> list[Place]:
    """The same, from neighbours by ASE and all features at once."""
    candidates: dict[Place, tuple[float, np.ndarray]] = {}
    for number, frame in enumerate(frames):
        lpr, features = model.score(frame).lpr, model.features(frame)
        first, second = neighbor_list("ij", frame, CUTOFF)
        taken: list[int] = []
        for atom in np.argsort(lpr, kind="stable").tolist():
            if not set(second[first == atom].tolist()) & set(taken):
                taken.append(atom)
                candidates[number, atom] = lpr[atom], features[atom]
    ordered = sorted(candidates, key=lambda place: (candidates[place][0], place))[: 10 * count]
    chosen: list[Place] = []
    for place in ordered:
        cosines = [candidates[place][1] @ candidates[other][1] for other in chosen]
        if len(chosen) < count and max(cosines, default=0.0) <= 0.999:
            chosen.append(place)
    rest = [place for place in ordered if place not in chosen]
    return sorted([*chosen, *rest[: count - len(chosen)]], key=ordered.index)


@pytest.mark.parametrize("count", [1, 4, 100])
def test_the_least_rigid_environments_are_far_apart_and_unlike_one_another(
    count: int, model: SparseKernelModel, tmp_path: Path
) -> None:
    frames = [*silicon(5, seed=7), *silicon(2, seed=7), large(3)]
    _, places = written(model, frames, count, tmp_path)
    assert [places[rank] for rank in sorted(places)] == expected(model, frames, count)


def test_frames_that_come_twice_are_written_once_as_long_as_there_are_others(
    model: SparseKernelModel, tmp_path: Path
) -> None:
    frames = silicon(3, seed=7)
    again = [frame.copy() for frame in frames for _ in range(3)]
    lowest = [model.score(frame).lpr.min() for frame in frames]
    _, places = written(model, again, 3, tmp_path)
    assert len({frame // 3 for frame, _ in places.values()}) > 1
    assert places[1][0] == 3 * int(np.argmin(lowest))
    _, places = written(model, [frames[0]] * 4, 4, tmp_path)
    assert len(places) == 4  # alike, for want of others


def test_small_frames_are_whole_and_of_larger_ones_only_the_surroundings_are_kept(
    model: SparseKernelModel, tmp_path: Path
) -> None:
    frames = [silicon(1)[0], large(5)]
    found, places = written(model, frames, 40, tmp_path)
    assert {frame for frame, _ in places.values()} == {0, 1}
    for frame in found:
        source, lpr = frames[frame.info["lpr_frame"]], model.score(frame).lpr
        if len(source) == 8:
            np.testing.assert_array_equal(frame.positions, source.positions)
            assert frame.pbc.all()
            assert "lpr_atom" not in frame.info
            np.testing.assert_array_equal(frame.arrays["lpr"], lpr)
            continue
        atom = frame.info["lpr_atom"]
        distances = source.get_distances(atom, np.arange(len(source)), mic=True)
        assert len(frame) == np.count_nonzero(distances < 2 * CUTOFF) < len(source)
        assert not frame.pbc.any()
        of_source = model.score(source).lpr[atom]
        assert frame.arrays["lpr"][0] == of_source
        assert lpr[0] == pytest.approx(of_source, rel=1e-10)


def test_where_means_are_held_the_held_rigidity_counts(tmp_path: Path) -> None:
    frames, of_two = gallium_arsenide(6, seed=2), fitted(gallium_arsenide())
    scores = of_two.score(frames)
    assert scores.lpr_held is not None
    lowest = int(np.argmin(scores.lpr_held))
    assert lowest != int(np.argmin(scores.lpr))
    _, places = written(of_two, frames, 1, tmp_path)
    assert places == {1: (int(scores.frame[lowest]), int(scores.atom[lowest]))}


def test_unknown_species_are_around_but_never_chosen(model: SparseKernelModel, tmp_path: Path) -> None:
    mixed = large(2)
    mixed.numbers[0] = 31
    found, places = written(model, [*gallium_arsenide(1), mixed, silicon(1)[0]], 30, tmp_path)
    known = model.score(mixed, unknown_species="nan").lpr
    assert not {0} & {frame for frame, _ in places.values()}
    assert not any(np.isnan(known[atom]) for frame, atom in places.values() if frame == 1)
    assert any(31 in frame.numbers for frame in found)


@pytest.mark.parametrize("n_shards", [2, 5])
def test_shards_give_the_same_bytes_where_much_is_alike(
    n_shards: int, model: SparseKernelModel, tmp_path: Path
) -> None:
    frames = [
        frame for seed in range(4) for frame in (*silicon(2, seed=seed % 2), rattled(silicon(1)[0], seed), large(1))
    ]
    ase.io.write(tmp_path / "md.xyz", frames, format="extxyz")
    model.save(tmp_path / "m.lpr")
    outputs = [[tmp_path / name / "out.csv"] for name in ("whole", "parts")]
    for output in outputs:
        output[0].parent.mkdir()
    score_trajectory(tmp_path / "m.lpr", tmp_path / "md.xyz", outputs[0], least_rigid=3)
    for k in range(n_shards):
        score_trajectory(
            tmp_path / "m.lpr", tmp_path / "md.xyz", outputs[1], least_rigid=3, shard=f"{k + 1}/{n_shards}"
        )
    merge_shards(outputs[1][0])
    whole, parts = (output[0].with_name("out.csv.least-rigid.extxyz").read_bytes() for output in outputs)
    assert whole == parts


@pytest.mark.parametrize("cutoff", [None, CUTOFF])
def test_features_that_frames_carry_may_have_a_cutoff_or_none(
    cutoff: float | None, model: SparseKernelModel, tmp_path: Path
) -> None:
    frames = [*silicon(4), large(1), large(2)]
    for frame in frames:
        frame.set_array("soap", model.features(frame))
        frame.info["energy"] = 0.1
    carried = SparseKernelModel.fit(
        frames, descriptor=FrameFeatures("soap", cutoff), n_active=20, regularizer=1e-3, energy_key=None
    )
    outputs = [tmp_path / "out.csv", tmp_path / "out.chemiscope.json"]
    score_trajectory(carried, frames, outputs, least_rigid=3)
    found = ase.io.read(tmp_path / "out.csv.least-rigid.extxyz", ":")
    assert sum((frame.arrays["lpr_rank"] > 0).sum() for frame in found) == 3
    lpr = carried.score(frames)
    for frame in found:
        number = frame.info["lpr_frame"]
        if cutoff is None:  # an environment is a frame
            assert len(frame) == len(frames[number])
            assert (frame.arrays["lpr_rank"] > 0).sum() == 1
        chosen = int(np.argmax(frame.arrays["lpr_rank"]))
        atom = frame.info.get("lpr_atom", chosen)
        of_atom = (lpr.frame == number) & (lpr.atom == atom)
        assert frame.arrays["lpr"][chosen] == lpr.lpr[of_atom][0]
        np.testing.assert_array_equal(frame.arrays["soap"][chosen], frames[number].arrays["soap"][atom])
