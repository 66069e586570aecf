"""Streams of frames into files: the numbers of the calls, whatever the source, the sink and the cap on memory."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import ase.io
import h5py
import numpy as np
import pytest
from ase import Atoms

from lpr_fast import InvalidInputError, LprWarning, SparseKernelModel, score_trajectory
from lpr_fast.atoms import _pieces
from lpr_fast.atoms._pipeline import Scores
from lpr_fast.jobs._stream import Stream
from lpr_fast.models._memory import as_bytes
from lpr_fast.models._scores import all_columns
from lpr_fast.writing._records import HDF5
from lpr_fast.writing._sinks import About
from lpr_fast.writing._summary import RunSummary

from .structures import HYPERS, fitted, gallium_arsenide, molecules, silicon


def lpr_in(path: Path) -> np.ndarray:
    with h5py.File(path) as file:
        return np.array(file["atoms/lpr"])


def lines_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


# Sinks


def test_all_sinks_hold_the_numbers_of_the_call(model: SparseKernelModel, trajectory: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / f"out.{suffix}" for suffix in ("h5", "csv", "extxyz", "npz")]
    run = score_trajectory(model, trajectory, outputs, least_rigid=3)
    expected = model.score(ase.io.read(trajectory, ":"))
    arrays, written = np.load(outputs[3]), ase.io.read(outputs[2], ":")
    with h5py.File(outputs[0]) as file:
        for name in ("lpr", "variance", "residual", "local_energy"):
            values, column = getattr(expected, name), name if name == "lpr" else f"lpr_{name}"
            np.testing.assert_array_equal(file["atoms"][name], values)
            np.testing.assert_array_equal(arrays[name], values)
            np.testing.assert_array_equal(np.concatenate([frame.arrays[column] for frame in written]), values)
        assert file["frames/first_atom"][:].tolist() == [0, 8, 16, 24, 32, 40]
        assert file["atoms/species"][:].tolist() == [14] * 40
        assert file["atoms/lpr"].dtype == np.float64
        assert file.attrs["loss"] == "total"
        assert len(file.attrs["model_sha256"]) == 64
        assert file["atoms/lpr"].attrs["unit"]
    np.testing.assert_array_equal(arrays["frame"], expected.frame)
    np.testing.assert_array_equal(arrays["atom"], expected.atom)
    assert run.summary.n_atoms == 40
    assert run.written[:4] == outputs
    assert {path.name for path in tmp_path.iterdir()} == {
        *("out.h5", "out.csv", "out.extxyz", "out.npz", "out.h5.least-rigid.extxyz", "out.h5.json", "md.xyz")
    }


def test_the_table_has_a_line_for_each_frame(tmp_path: Path) -> None:
    frames = [gallium_arsenide(1)[0], *gallium_arsenide(3, seed=9)]
    frames[2].calc = None
    model = fitted(gallium_arsenide())
    score_trajectory(model, frames, [tmp_path / "out.csv"])
    lines = lines_of(tmp_path / "out.csv")
    assert len(lines) == 4
    for frame, line in zip(frames, lines, strict=True):
        scores = model.score(frame)
        assert scores.residual is not None
        assert scores.local_energy is not None
        assert int(line["atoms"]) == int(line["scored"]) == 8
        assert float(line["lpr_lowest"]) == scores.lpr.min()
        assert int(line["lpr_lowest_atom"]) == scores.lpr.argmin()
        for number, symbol in ((31, "Ga"), (33, "As")):
            assert float(line[f"lpr_lowest_{symbol}"]) == scores.lpr[frame.numbers == number].min()
        assert float(line["lpr_50"]) in scores.lpr
        assert float(line["variance_mean"]) == pytest.approx(scores.variance.mean(), rel=1e-14)
        assert float(line["residual_largest"]) == scores.residual.max()
        assert float(line["local_energy_mean"]) == pytest.approx(scores.local_energy.mean(), rel=1e-14)
    assert lines[2]["energy_error_per_atom"] == ""
    error = (model.predict(frames[1]).energy[0] - frames[1].get_potential_energy()) / 8
    assert float(lines[1]["energy_error_per_atom"]) == pytest.approx(error, rel=1e-10)


def test_unknown_species_are_nan_in_every_sink(model: SparseKernelModel, tmp_path: Path) -> None:
    frames = [*silicon(1), *gallium_arsenide(1)]
    outputs = [tmp_path / f"out.{suffix}" for suffix in ("h5", "csv", "extxyz", "npz")]
    run = score_trajectory(model, frames, outputs, unknown_species="nan", least_rigid=50)
    assert np.isnan(lpr_in(outputs[0])).sum() == 8 == run.summary.n_unknown
    lines = lines_of(outputs[1])
    assert [line["scored"] for line in lines] == ["8", "0"]
    assert lines[1]["lpr_lowest"] == ""
    assert len(ase.io.read(tmp_path / "out.h5.least-rigid.extxyz", ":")) == 1


# Options


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"sinks": ["out.txt"]}, "give a name that ends in .h5"),
        ({"sinks": []}, "the outputs are none; give at least one"),
        ({"sinks": ["a.h5", "./a.h5"]}, "each of them once"),
        ({"sinks": ["no/a.h5"]}, "does not exist; make it first"),
        ({"sinks": ["md.xyz"]}, "would overwrite an input"),
        ({"least_rigid": -1}, "must not be negative"),
        ({"memory": "lots"}, "memory is 'lots'; give a size such as 2GB"),
        ({"memory": "1MB"}, "memory is 1MB, but the model and libraries alone need"),
        ({"unknown_species": "skip"}, "unknown_species is 'skip'"),
        ({"on_error": "ignore"}, "on_error is 'ignore'; it must be 'stop' or 'skip'"),
    ],
)
def test_bad_options_get_one_sentence(
    options: dict[str, object],
    expected: str,
    model: SparseKernelModel,
    trajectory: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(trajectory.parent)
    with pytest.raises(InvalidInputError, match=expected):
        score_trajectory(model, "md.xyz", **options)  # type: ignore[arg-type]
    assert [path.name for path in trajectory.parent.iterdir()] == ["md.xyz"]


def test_an_input_is_not_overwritten_by_what_comes_with_the_output(model: SparseKernelModel, trajectory: Path) -> None:
    for name in ("out.h5.json", "out.h5.least-rigid.extxyz"):
        source = trajectory.rename(trajectory.with_name(name))
        with pytest.raises(InvalidInputError, match="would overwrite an input"):
            score_trajectory(model, source, [trajectory.with_name("out.h5")], least_rigid=1)
        source.rename(trajectory)


def test_the_hash_is_that_of_the_model_file(model: SparseKernelModel, frames: list[Atoms], tmp_path: Path) -> None:
    model.save(tmp_path / "m.lpr")
    digest = hashlib.sha256((tmp_path / "m.lpr").read_bytes()).hexdigest()
    for given in (model, tmp_path / "m.lpr"):
        score_trajectory(given, frames, [tmp_path / "out.h5"])
        with h5py.File(tmp_path / "out.h5") as file:
            assert file.attrs["model_sha256"] == digest


def test_frames_without_a_file_need_outputs(model: SparseKernelModel, frames: list[Atoms]) -> None:
    with pytest.raises(InvalidInputError, match="outputs cannot be named after frames in memory"):
        score_trajectory(model, frames)


def test_by_default_the_bulk_and_the_table_are_written_beside_the_trajectory(
    model: SparseKernelModel, trajectory: Path
) -> None:
    run = score_trajectory(model, trajectory)
    assert run.written == [trajectory.with_name("md.lpr.h5"), trajectory.with_name("md.lpr.csv")]
    facts = json.loads(run.facts.read_text())
    assert facts["frames"] == 5
    assert run.facts.name == "md.lpr.h5.json"


# Frames that are left out


def with_bad_frames(folder: Path) -> tuple[Path, list[Atoms]]:
    """Numbers 2, 3 (cannot be parsed), 5 (other species) and 9 (cut off) are bad."""
    good = silicon(10, seed=90)
    good[5] = gallium_arsenide(1)[0]
    ase.io.write(folder / "bad.xyz", good)
    good = ase.io.read(folder / "bad.xyz", ":")
    lines = (folder / "bad.xyz").read_text().splitlines(keepends=True)
    lines[2 * 10 + 4] = lines[3 * 10 + 5] = "Si one two three\n"
    (folder / "bad.xyz").write_text("".join(lines[:-3]))
    return folder / "bad.xyz", [frame for n, frame in enumerate(good) if n not in (2, 3, 5, 9)]


def test_bad_frames_can_be_left_out_and_are_told(model: SparseKernelModel, tmp_path: Path) -> None:
    path, good = with_bad_frames(tmp_path)
    outputs = [tmp_path / f"out.{suffix}" for suffix in ("h5", "csv", "extxyz", "npz")]
    run = score_trajectory(model, path, outputs, on_error="skip", least_rigid=100)
    assert [number for number, _ in run.summary.skipped] == [2, 3, 5, 9]
    assert "cannot read frame 2 of" in run.summary.skipped[0][1]
    assert "frame 5, atom 0 is Ga" in run.summary.skipped[2][1]
    assert "ends within frame 9" in run.summary.skipped[3][1]
    assert (run.summary.n_frames, run.summary.n_read) == (6, 10)
    expected, numbers = model.score(good).lpr, [0, 1, 4, 6, 7, 8]
    np.testing.assert_array_equal(lpr_in(outputs[0]), expected)
    with h5py.File(outputs[0]) as file:
        assert file["frames/number"][:].tolist() == numbers
        assert np.diff(file["frames/first_atom"]).tolist() == [8] * 6
    assert [int(line["frame"]) for line in lines_of(outputs[1])] == numbers
    assert len(ase.io.read(outputs[2], ":")) == 6
    np.testing.assert_array_equal(np.load(outputs[3])["frame"], np.repeat(numbers, 8))
    found = ase.io.read(tmp_path / "out.h5.least-rigid.extxyz", ":")
    assert [frame.info["lpr_frame"] for frame in found] == numbers


@pytest.mark.parametrize("stop_after", range(1, 6))
def test_bad_frames_are_left_out_after_a_crash_too(
    stop_after: int, model: SparseKernelModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = with_bad_frames(tmp_path)
    calls = []

    def stop(*_: object) -> None:
        calls.append(1)
        if len(calls) == stop_after:
            raise RuntimeError

    whole = score_trajectory(model, path, [tmp_path / "whole.h5"], on_error="skip")
    monkeypatch.setattr("lpr_fast.jobs._job._BETWEEN_CHECKPOINTS", 0.0)
    monkeypatch.setattr("lpr_fast.atoms._frames.BATCH_ATOMS", 8)
    with pytest.raises(RuntimeError):
        score_trajectory(model, path, [tmp_path / "out.h5"], on_error="skip", progress=stop)
    run = score_trajectory(model, path, [tmp_path / "out.h5"], on_error="skip")
    assert run.resumed_at > 0
    assert run.summary == whole.summary
    assert (tmp_path / "out.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


# Streaming


@pytest.mark.parametrize("memory", ["900MB", "4GB", None])
def test_results_do_not_depend_on_the_cap(
    memory: str | None, model: SparseKernelModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lpr_fast.jobs._memory._used", lambda: 898 * 10**6)
    monkeypatch.setattr(_pieces, "LARGEST_WHOLE", 100)
    frames = [*silicon(30, seed=3), silicon(1)[0].repeat((3, 3, 2)), *silicon(2, seed=5)]
    score_trajectory(model, frames, [tmp_path / "out.h5"], memory=memory)
    np.testing.assert_array_equal(lpr_in(tmp_path / "out.h5"), model.score(frames).lpr)


def test_sizes_are_read_as_people_write_them() -> None:
    sizes = {"2GB": 2 * 10**9, "500 mb": 5 * 10**8, "1.5g": 1500 * 10**6, "1000": 1000, "3kB": 3000}
    assert {text: as_bytes(text) for text in sizes} == sizes
    assert as_bytes(7) == 7


def test_frames_are_not_read_far_ahead(model: SparseKernelModel, tmp_path: Path) -> None:
    taken = []

    def endless() -> Iterator[Atoms]:
        frame = silicon(1)[0].repeat((6, 6, 6))
        for number in range(200):
            taken.append(number)
            if number == 20:
                raise RuntimeError("enough")
            yield frame

    done: list[int] = []
    with pytest.raises(RuntimeError, match="enough"):
        score_trajectory(
            model,
            endless(),
            [tmp_path / "out.csv"],
            progress=lambda run: done.append(len(taken) - run.atoms // 1728),
        )
    assert max(done) <= 12
    assert not list(tmp_path.iterdir())


def test_a_failing_sink_stops_all_threads(
    model: SparseKernelModel, frames: list[Atoms], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = threading.active_count()
    monkeypatch.setattr("lpr_fast.writing._spool.Spool.write", fail)
    with pytest.raises(OSError, match="No space left"):
        score_trajectory(model, frames * 2000, [tmp_path / "out.npz"])
    assert threading.active_count() == before
    assert not list(tmp_path.iterdir())


def test_a_stream_keeps_the_order_and_hands_on_what_went_wrong() -> None:
    def numbers() -> Iterator[int]:
        yield from range(100)
        raise ValueError("at the end")

    got = []
    with pytest.raises(ValueError, match="at the end"), Stream() as stream:  # noqa: PT012
        for number in stream.ahead(2 * n for n in stream.ahead(numbers())):
            got.append(number)
    assert got == [2 * n for n in range(100)]


def test_leaving_a_stream_early_ends_its_threads() -> None:
    before = threading.active_count()
    with Stream() as stream:
        assert next(stream.ahead(n + 1 for n in stream.ahead(iter(range(10**9))))) == 1
    assert threading.active_count() == before


def test_warnings_of_what_cannot_be_written_reach_the_caller(model: SparseKernelModel, tmp_path: Path) -> None:
    frame = silicon(1)[0]
    frame.arrays["a b"] = np.ones(8)
    with pytest.warns(LprWarning, match="cannot hold the array 'a b'"):
        score_trajectory(model, [frame], [tmp_path / "out.extxyz"])


def test_molecules_of_several_species_stream_too(tmp_path: Path) -> None:
    model = SparseKernelModel.fit(molecules(), hypers=HYPERS, n_active=20, regularizer=1e-3)
    score_trajectory(model, molecules() * 3, [tmp_path / "out.h5"])
    np.testing.assert_array_equal(lpr_in(tmp_path / "out.h5"), model.score(molecules() * 3).lpr)


# Summary


def test_quantiles_of_the_summary_are_right_to_a_quarter_of_a_percent(
    model: SparseKernelModel, frames: list[Atoms]
) -> None:
    summary = RunSummary()
    many = silicon(100, seed=77)
    for frame in many:
        summary.add([frame], model.score(frame), "energy")
    lpr = np.sort(model.score(many).lpr)
    for share in (0.0, 0.05, 0.5, 0.95, 1.0):
        assert summary.quantile(share) == pytest.approx(lpr[int(share * (len(lpr) - 1))], rel=0.0025)
    assert RunSummary.from_json(json.loads(json.dumps(summary.to_json()))) == summary


def test_a_name_for_each_frame_does_not_fill_the_memory(model: SparseKernelModel) -> None:
    frames = silicon(5, seed=3)
    scores = [model.score(frame) for frame in frames]
    whole, parts = RunSummary(), [RunSummary(), RunSummary()]
    for number in range(230):
        frame = frames[number % 5]
        frame.info["config_type"] = f"kind {number % 115}"
        for summary in (whole, parts[number >= 90]):
            summary.add([frame], scores[number % 5], "energy")
    merged = RunSummary.from_json(json.loads(json.dumps(parts[0].to_json())))
    merged.merge(parts[1])
    assert list(merged.groups) == list(whole.groups) == [*(f"kind {k}" for k in range(100)), "all others"]
    assert sum(group.n_atoms for group in whole.groups.values()) == whole.n_atoms == merged.n_atoms == 230 * 8
    whole_facts, merged_facts = (json.loads(json.dumps(summary.to_json())) for summary in (whole, merged))
    assert merged_facts.keys() == whole_facts.keys()
    for name in ("n_frames", "n_atoms", "lpr_lowest", "residual_largest", "species", "_bins"):
        assert merged_facts[name] == whole_facts[name]


def test_hdf5_holds_the_chunks_that_its_own_filters_make(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    frames = [Atoms(numbers=rng.integers(1, 90, 20_000), positions=np.zeros((20_000, 3))) for _ in range(2)]
    n_atoms = 40_000
    values = rng.normal(size=(2, n_atoms))
    structure, atom = np.divmod(np.arange(n_atoms), 20_000)
    facts = About("", "total", 1.0, 5.0, (), "", ("lpr", "variance"), {})
    sink = HDF5(tmp_path / "a.h5", facts)
    sink.open(None)
    scores = all_columns({"lpr": values[0], "variance": values[1]})
    sink.add(0, frames, Scores(**scores, frame=structure, atom=atom))
    sink.checkpoint()
    sink.assemble()
    sink.publish()
    with h5py.File(tmp_path / "a.h5") as found, h5py.File(tmp_path / "b.h5", "w") as expected:
        for name, column in (("lpr", values[0]), ("variance", values[1])):
            written = found["atoms"][name]
            assert written[:].tolist() == column.tolist()
            options = {"chunks": written.chunks, "compression": "gzip", "compression_opts": 4, "shuffle": True}
            by_hdf5 = expected.create_dataset(name, data=column, **options)
            for start in range(0, n_atoms, written.chunks[0]):
                assert unpacked(written, start) == unpacked(by_hdf5, start)
        assert found["atoms/species"][:].tolist() == [number for frame in frames for number in frame.numbers]


def unpacked(dataset: h5py.Dataset, start: int) -> tuple[int, bytes]:
    """Filters that were left out, and the chunk before it was compressed: zlib need not be the same everywhere."""
    left_out, chunk = dataset.id.read_direct_chunk((start,))
    return left_out, zlib.decompress(chunk)
