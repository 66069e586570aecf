"""What chemiscope gets: the environments of lowest LPR, a fair sample of the others, and a map of all of these."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import ase.io
import chemiscope
import numpy as np
import pytest
from ase import Atoms

from lpr_fast import LprWarning, SparseKernelModel, score_trajectory
from lpr_fast.writing import _chemiscope
from lpr_fast.writing._map import kernel_map, side_by_side
from lpr_fast.writing._sample import Sample

from .structures import HYPERS, fitted, gallium_arsenide, silicon


def opened(path: Path) -> dict[str, Any]:
    """The file, after chemiscope has looked at it."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    data = json.loads(content)
    chemiscope.show_input(str(path))  # its own reader
    return data


def values(data: dict[str, Any], name: str) -> list[Any]:
    return data["properties"][name]["values"]


def places(data: dict[str, Any]) -> list[tuple[int, int]]:
    return [(int(frame), int(atom)) for frame, atom in zip(values(data, "frame"), values(data, "atom"), strict=True)]


# The sample


def split_mix(frame: int, atom: int) -> int:
    """The pseudo-random number of an environment, in whole numbers of Python."""
    golden, mask = 0x9E3779B97F4A7C15, 2**64 - 1
    mixed = ((frame * golden & mask) ^ atom) + golden & mask
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & mask
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & mask
    return mixed ^ mixed >> 31


def chosen(lpr: list[np.ndarray], n_lowest: int, n_fair: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The lowest, and all that are chosen, from all environments at once."""
    flat = [(frame, atom) for frame, of in enumerate(lpr) for atom, value in enumerate(of) if not np.isnan(value)]
    lowest = sorted(flat, key=lambda place: (lpr[place[0]][place[1]], place))[:n_lowest]
    others = sorted(set(flat) - set(lowest), key=lambda place: (split_mix(*place), place))
    return lowest, sorted([*lowest, *others[:n_fair]])


def rigidities(n_frames: int, seed: int = 0) -> list[np.ndarray]:
    """Some of them equal, some NaN, some infinite."""
    rng = np.random.default_rng(seed)
    lpr = [rng.integers(1, 40, rng.integers(1, 30)).astype(float) for _ in range(n_frames)]
    for of in lpr:
        of[rng.random(len(of)) < 0.05] = np.nan
        of[rng.random(len(of)) < 0.05] = np.inf
    return lpr


def sampled(lpr: list[np.ndarray], first: int = 0) -> Sample:
    sample = Sample(20, 30)
    for frame, of in enumerate(lpr, start=first):
        sample.add(frame, of)
    return sample


@pytest.mark.parametrize("seed", range(5))
def test_a_sample_holds_all_of_the_lowest_and_as_many_others_as_it_should(seed: int) -> None:
    lpr = rigidities(40, seed)
    sample = sampled(lpr)
    assert (sample.lowest, sample.places) == chosen(lpr, 20, 30)
    assert len(set(sample.places)) == 50


@pytest.mark.parametrize("cut", [0, 1, 7, 20, 39, 40])
def test_a_sample_does_not_depend_on_how_a_run_is_cut(cut: int) -> None:
    lpr = rigidities(40)
    merged = Sample(20, 30)
    for part, first in ((lpr[:cut], 0), (lpr[cut:], cut)):
        merged.merge(json.loads(json.dumps(sampled(part, first).to_json())))
    assert merged.to_json() == sampled(lpr).to_json()


@pytest.mark.parametrize("seed", range(20))
def test_frames_that_come_once_more_after_a_crash_change_nothing(seed: int) -> None:
    lpr = rigidities(12, seed)
    sample = sampled(lpr)
    expected = sample.to_json()
    for frame in range(seed % 12, 12):
        sample.add(frame, lpr[frame])
    assert sample.to_json() == expected


def test_few_environments_are_all_chosen() -> None:
    lpr = [np.array([3.0, np.nan, 1.0]), np.array([2.0])]
    assert sampled(lpr).places == [(0, 0), (0, 2), (1, 0)]
    assert sampled(lpr).lowest == [(0, 2), (1, 0), (0, 0)]


def test_the_sample_of_the_others_is_fair() -> None:
    counts = np.zeros(200)
    for shift in range(400):  # numbers of frames decide what is drawn
        sample = Sample(1, 20)
        sample.add(shift, np.arange(1.0, 201.0))
        counts[[atom for _, atom in sample.places if atom]] += 1
    expected = 400 * 20 / 199
    assert counts[0] == 0
    # Chi squared with 198 degrees of freedom: mean 198, standard deviation 20.
    assert 198 - 100 < ((counts[1:] - expected) ** 2 / expected).sum() < 198 + 100


# The file


def test_the_file_holds_the_numbers_of_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_chemiscope, "_COUNT", 10)
    frames, model = gallium_arsenide(9, seed=80), fitted(gallium_arsenide())
    run = score_trajectory(model, frames, [tmp_path / "md.chemiscope.json.gz", tmp_path / "other.chemiscope.json"])
    assert [path.name for path in run.written] == ["md.chemiscope.json.gz", "other.chemiscope.json"]
    data, scores = opened(run.written[0]), model.score(frames)
    index = [8 * frame + atom for frame, atom in places(data)]
    assert len(set(index)) == 20
    assert values(data, "lpr") == scores.lpr[index].tolist()
    assert values(data, "log10 lpr") == np.log10(scores.lpr_held[index]).tolist()
    for name in ("variance", "residual", "local_energy"):
        assert values(data, name) == getattr(scores, name)[index].tolist()
    numbers = np.concatenate([frame.numbers for frame in frames])[index]
    assert values(data, "element") == [{31: "Ga", 33: "As"}[number] for number in numbers]
    lowest = [place for place, chosen in zip(places(data), values(data, "chosen"), strict=True) if "lowest" in chosen]
    assert {8 * frame + atom for frame, atom in lowest} == set(np.argsort(scores.lpr_held)[:10])
    assert places(data)[data["settings"]["pinned"][0]] == (scores.lpr_held.argmin() // 8, scores.lpr_held.argmin() % 8)
    expected = kernel_map(model.features(frames)[index], numbers, model.zeta)
    found = np.array([values(data, f"KPCA[{k}]") for k in (1, 2, 3)]).T
    assert found.tolist() == expected.tolist()
    assert values(data, "map[1]") == side_by_side(expected, numbers).tolist()
    assert values(data, "map[2]") == values(data, "KPCA[2]")
    for environment, (frame, atom) in zip(data["environments"], places(data), strict=True):
        structure = data["structures"][environment["structure"]]
        assert (structure["size"], environment["center"], environment["cutoff"]) == (8, atom, 3.5)
        assert structure["x"] == frames[frame].positions[:, 0].tolist()
    assert model.loss in data["meta"]["description"]
    same = {**opened(run.written[1]), "meta": data["meta"]}
    assert same == data


def test_of_large_frames_only_environments_are_shown(
    model: SparseKernelModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = silicon(4, seed=90)
    whole = opened(score_trajectory(model, frames, [tmp_path / "whole.chemiscope.json"]).written[0])
    monkeypatch.setattr(_chemiscope, "LARGEST_WHOLE", 7)
    cut = opened(score_trajectory(model, frames, [tmp_path / "cut.chemiscope.json"]).written[0])
    assert len(whole["structures"]) == 4
    assert len(cut["structures"]) == len(cut["environments"]) == 32
    assert [environment["center"] for environment in cut["environments"]] == [0] * 32
    for environment, (frame, atom) in zip(cut["structures"], places(cut), strict=True):
        offsets = np.array([environment[axis] for axis in "xyz"]).T
        distances = np.linalg.norm(offsets - offsets[0], axis=1)
        assert distances.max() <= HYPERS["cutoff"]["radius"]
        around = ase.neighborlist.neighbor_list("i", frames[frame], HYPERS["cutoff"]["radius"])
        assert len(distances) == 1 + np.count_nonzero(around == atom)
    for name in ("lpr", "frame", "atom"):
        assert values(cut, name) == values(whole, name)
    for k in (1, 2):
        np.testing.assert_allclose(values(cut, f"KPCA[{k}]"), values(whole, f"KPCA[{k}]"), atol=2e-7)


def test_environments_without_a_finite_rigidity_are_left_open_or_out(model: SparseKernelModel, tmp_path: Path) -> None:
    frames = [*silicon(1, seed=95), Atoms("Si", pbc=False)]
    with pytest.warns(LprWarning, match="frame 1 is not periodic"):
        data = opened(score_trajectory(model, frames, [tmp_path / "a.chemiscope.json"]).written[0])
    infinite = np.isinf(model.score(frames).lpr)
    assert np.isnan(values(data, "lpr")).tolist() == infinite.tolist()
    unknown = score_trajectory(
        model, gallium_arsenide(1), [tmp_path / "b.chemiscope.json"], unknown_species="nan"
    ).written[0]
    assert json.loads(unknown.read_text())["environments"] == []
