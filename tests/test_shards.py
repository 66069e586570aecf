"""A run in shards, merged, writes the bytes of one run."""

from __future__ import annotations

from pathlib import Path

import ase.io
import pytest

from lpr_fast import InvalidInputError, LprError, merge_shards, score_trajectory
from lpr_fast.jobs import _job

from .processes import EndOfPowerError
from .structures import fitted, silicon
from .test_restart import contents

SUFFIXES = ("csv", "h5", "extxyz", "npz", "chemiscope.json.gz")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("lpr_fast.writing._chemiscope._COUNT", 3)
    fitted().save(tmp_path / "m.lpr")
    ase.io.write(tmp_path / "a.xyz", silicon(11, seed=50))
    ase.io.write(tmp_path / "b.xyz.gz", silicon(8, seed=70), format="extxyz")
    return tmp_path


def score(folder: Path, out: str, shard: str | None = None, **options: object) -> None:
    (folder / out).mkdir(exist_ok=True)
    source = [folder / "a.xyz", f"{folder / 'b.xyz.gz'}@::2"]
    outputs = [folder / out / f"md.{suffix}" for suffix in SUFFIXES]
    score_trajectory(folder / "m.lpr", source, outputs, least_rigid=5, shard=shard, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 3, 40])
def test_shards_in_any_order_give_the_bytes_of_one_run(count: int, folder: Path) -> None:
    score(folder, "whole")
    for index in reversed(range(1, count + 1)):
        score(folder, "parts", f"{index}/{count}")
    run = merge_shards(folder / "parts" / "md.csv")
    assert (run.summary.n_frames, run.summary.n_atoms) == (15, 120)
    assert contents(folder / "parts") == contents(folder / "whole")


def test_a_shard_that_was_ended_by_force_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise EndOfPowerError

    score(folder, "whole")
    score(folder, "parts", "1/2")
    monkeypatch.setattr(_job, "_BETWEEN_CHECKPOINTS", 0.0)
    monkeypatch.setattr("lpr_fast.atoms._frames.BATCH_ATOMS", 16)
    with pytest.raises(EndOfPowerError):
        score(folder, "parts", "2/2", progress=stop)
    with pytest.raises(InvalidInputError, match="is incomplete; give its command again"):
        merge_shards(folder / "parts" / "md.csv")
    score(folder, "parts", "2/2")
    score(folder, "parts", "2/2")  # once more does no harm
    merge_shards(folder / "parts" / "md.csv")
    assert contents(folder / "parts") == contents(folder / "whole")


def test_a_merge_that_was_ended_by_force_can_be_repeated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise EndOfPowerError

    score(folder, "whole")
    for index in (1, 2):
        score(folder, "parts", f"{index}/2")
    for place in (
        "writing._chemiscope.Chemiscope.absorb",
        "writing._least_rigid.LeastRigid.absorb",
        "writing._records.HDF5._write",
        "writing._records._Records.publish",
    ):
        with monkeypatch.context() as patch:
            patch.setattr(f"lpr_fast.{place}", stop)
            with pytest.raises(EndOfPowerError):
                merge_shards(folder / "parts" / "md.csv")
    merge_shards(folder / "parts" / "md.csv")
    assert contents(folder / "parts") == contents(folder / "whole")


def test_shards_that_do_not_belong_together_are_refused(folder: Path) -> None:
    with pytest.raises(InvalidInputError, match="there are no shards of"):
        merge_shards(folder / "md.csv")
    score(folder, "parts", "1/2")
    with pytest.raises(InvalidInputError, match=r"shard 2/2 of .* is missing; run it first"):
        merge_shards(folder / "parts" / "md.csv")
    fitted(regularizer=1e-2).save(folder / "m.lpr")
    score(folder, "parts", "2/2")
    with pytest.raises(InvalidInputError, match="is of a run with another model; run it again"):
        merge_shards(folder / "parts" / "md.csv")
    score(folder, "parts", "1/3")
    with pytest.raises(InvalidInputError, match="has shards of several runs, of 2, 3 shards"):
        merge_shards(folder / "parts" / "md.csv")


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", ""])
def test_a_shard_that_means_nothing_is_refused(text: str, folder: Path) -> None:
    with pytest.raises(InvalidInputError, match="give for example 3/100"):
        score(folder, "parts", text)


def test_frames_in_memory_have_no_shards(folder: Path) -> None:
    with pytest.raises(LprError, match="cannot be read by several jobs; give files"):
        score_trajectory(folder / "m.lpr", silicon(2), [folder / "out.csv"], shard="1/2")


@pytest.mark.parametrize("calls", range(1, 12, 2))
def test_a_merge_that_is_ended_while_it_tidies_up_goes_on(
    calls: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(folder, "whole")
    for index in (1, 2):
        score(folder, "parts", f"{index}/2")
    unlink, left = Path.unlink, calls

    def crash(self: Path, missing_ok: bool = False) -> None:  # noqa: FBT001, FBT002
        nonlocal left
        if ".shard-" in self.name:
            left -= 1
            if left < 0:
                raise EndOfPowerError
        unlink(self, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", crash)
        with pytest.raises(EndOfPowerError):
            merge_shards(folder / "parts" / "md.csv")
    merge_shards(folder / "parts" / "md.csv")
    assert contents(folder / "parts") == contents(folder / "whole")


def test_a_run_that_was_begun_in_shards_is_not_begun_again_without(folder: Path) -> None:
    score(folder, "parts", "1/2")
    with pytest.raises(InvalidInputError, match=r"has shards or workers; .* delete .*md.csv.shard-\*"):
        score(folder, "parts")
