"""The model file: what it holds, and that nothing else is taken for one."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from lpr_fast import InvalidInputError, LinearModel, Rigidity, _core, load_model
from lpr_fast.atoms._model import StructureModel

from .structures import HYPERS, fitted, gallium_arsenide, molecules


@pytest.fixture(scope="module")
def content() -> bytes:
    return fitted(molecules(), n_active=25)._to_bytes()


def header_of(content: bytes) -> tuple[dict[str, Any], bytes]:
    (length,) = struct.unpack_from("<Q", content)
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def with_header(header: dict[str, Any], payload: bytes) -> bytes:
    """A file whose hash is right."""
    header["__metadata__"]["sha256"] = "0" * 64
    text = json.dumps(header).encode()
    unsigned = struct.pack("<Q", len(text)) + text + payload
    return unsigned.replace(b"0" * 64, hashlib.sha256(unsigned).hexdigest().encode(), 1)


def test_safetensors_reads_it(content: bytes, tmp_path: Path) -> None:
    model = fitted(molecules(), n_active=25)
    model.save(tmp_path / "m.lpr")
    tensors = safetensors.numpy.load_file(tmp_path / "m.lpr")
    np.testing.assert_array_equal(tensors["active"], np.concatenate(list(model.active_features.values())))
    np.testing.assert_array_equal(tensors["weights"], model.rigidity.weights)
    R, columns = tensors["hessian.triangle"], tensors["hessian.columns"]
    H = model.rigidity.hessian()
    norms = np.sqrt(np.diag(H))  # of the columns of R: |H_ij| may be 0, what rounding does to it is of their size
    found = (R.T @ R)[np.ix_(*[np.argsort(columns)] * 2)]
    np.testing.assert_allclose(found / np.outer(norms, norms), H / np.outer(norms, norms), rtol=0, atol=1e-14)
    with safetensors.safe_open(tmp_path / "m.lpr", "np") as file:
        facts = json.loads(file.metadata()["model"])
    descriptor = facts["descriptor"]
    assert (descriptor["kind"], descriptor["hypers"], descriptor["cutoff"]) == ("soap", model.hypers, 3.5)
    assert (descriptor["angular"], descriptor["n_radial"]) == ([0, 1, 2, 3], [3, 3, 3, 3])
    assert 0.0 <= descriptor["scatter"] < 1e-12
    assert 0.0 < descriptor["error"] < 1e-12
    assert tensors["descriptor.edges"][[0, -1]].tolist() == [0.0, 3.5]
    n_cells = len(tensors["descriptor.edges"]) - 1
    assert tensors["descriptor.coefficients"].shape == (6 * n_cells, 12)
    assert tensors["descriptor.center"].shape == (3,)
    assert facts["species"] == [1, 6, 7, 8]
    assert facts["provenance"]["n_structures"] == 8


def test_every_array_starts_at_a_multiple_of_64_bytes(content: bytes) -> None:
    header, payload = header_of(content)
    start = len(content) - len(payload)
    header.pop("__metadata__")
    assert len(header) > 10
    for name, entry in header.items():
        if not name.startswith("_padding"):
            assert (start + entry["data_offsets"][0]) % 64 == 0


def test_the_same_fit_gives_the_same_bytes(content: bytes) -> None:
    assert fitted(molecules(), n_active=25)._to_bytes() == content


FITS: dict[str, Callable[[], StructureModel]] = {
    "kernel": lambda: fitted(gallium_arsenide()),
    "linear": lambda: LinearModel.fit(gallium_arsenide(), hypers=HYPERS, regularizer=1e-3),
}


@pytest.mark.parametrize("kind", FITS)
def test_nothing_is_factorised_when_it_is_read(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, frames = FITS[kind](), gallium_arsenide(2, seed=9)
    model.save(tmp_path / "m.lpr")
    expected, pickled = model.score(frames), pickle.dumps(model)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was factorised")

    for owner, names in ((_core, ("fit", "factorize_prior", "factorize_hessian")), (Rigidity, ("restrict",))):
        for name in names:
            monkeypatch.setattr(owner, name, refuse)
    with pytest.raises(AssertionError, match="something was factorised"):
        FITS[kind]()
    for read in (load_model(tmp_path / "m.lpr"), pickle.loads(pickled)):
        for name in ("lpr", "variance", "residual", "local_energy"):
            np.testing.assert_array_equal(getattr(read.score(frames), name), getattr(expected, name))


def test_a_link_is_followed_and_permissions_are_kept(tmp_path: Path) -> None:
    fitted().save(tmp_path / "m.lpr")
    (tmp_path / "m.lpr").chmod(0o640)
    (tmp_path / "link.lpr").symlink_to(tmp_path / "m.lpr")
    fitted(zeta=3).save(tmp_path / "link.lpr")
    assert (tmp_path / "link.lpr").is_symlink()
    assert load_model(tmp_path / "m.lpr").zeta == 3
    assert (tmp_path / "m.lpr").stat().st_mode & 0o777 == 0o640


def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInputError, match="pipe exists and is not a regular file"):
        fitted().save(tmp_path / "pipe")


def test_threads_can_save_to_one_name(tmp_path: Path) -> None:
    model = fitted()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: model.save(tmp_path / "m.lpr"), range(40)))
    assert (tmp_path / "m.lpr").read_bytes() == model._to_bytes()


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fitted()
    model.save(tmp_path / "m.lpr")
    before = (tmp_path / "m.lpr").read_bytes()

    def broken(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(OSError, match="No space left"):
        model.save(tmp_path / "m.lpr")
    assert (tmp_path / "m.lpr").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m.lpr"]


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInputError, match="pipe is not a regular file; give a model file"):
        load_model(tmp_path / "pipe")


def refused(content: bytes, folder: Path) -> str:
    path = folder / "bad.lpr"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError) as caught:
        load_model(path)
    message = str(caught.value)
    assert "bad.lpr" in message
    assert message.endswith(".")
    assert "\n" not in message
    return message


def test_every_changed_byte_is_noticed(content: bytes, tmp_path: Path) -> None:
    for place in np.random.default_rng(1).integers(0, len(content), 200).tolist() + list(range(0, 700, 7)):
        changed = bytearray(content)
        changed[place] ^= 1 << (place % 8)
        refused(bytes(changed), tmp_path)


def test_every_truncation_is_noticed(content: bytes, tmp_path: Path) -> None:
    for length in [0, 1, 7, 8, 9, 100, 3000, len(content) // 2, len(content) - 1]:
        refused(content[:length], tmp_path)
    assert "truncated" in refused(content[:-5], tmp_path)
    assert "truncated within its header" in refused(content[:500], tmp_path)
    assert "longer than it was written" in refused(content + b"x", tmp_path)


def entry_changed(name: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    def change(header: dict[str, Any]) -> None:
        header[name] |= values

    return change


def model_changed(**values: Any) -> Callable[[dict[str, Any]], None]:
    def change(header: dict[str, Any]) -> None:
        facts = json.loads(header["__metadata__"]["model"]) | values
        header["__metadata__"]["model"] = json.dumps(facts)

    return change


def soap_changed(hypers: Any) -> Callable[[dict[str, Any]], None]:
    return model_changed(descriptor={"kind": "soap", "hypers": hypers})


def metadata_changed(**values: Any) -> Callable[[dict[str, Any]], None]:
    def change(header: dict[str, Any]) -> None:
        header["__metadata__"] |= values

    return change


SMALLER = HYPERS | {"basis": {"type": "TensorProduct", "max_angular": 1, "radial": {"type": "Gto", "max_radial": 2}}}

FORGED: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "newer version": (
        metadata_changed(format_version="3"),
        "format version 3, but this lpr_fast reads versions 1 and 2; in",
    ),
    "another format": (metadata_changed(format="pt"), "is not a model file of lpr_fast"),
    "no metadata": (lambda header: header.__setitem__("__metadata__", {"sha256": ""}), "is not a model file"),
    "negative extent": (entry_changed("active", shape=[-1, 5]), "is not a model file"),
    "huge extent": (entry_changed("active", shape=[10**18, 10**18]), "is not a model file"),
    "fractional extent": (entry_changed("active", shape=[2.5, 4]), "is not a model file"),
    "overlapping arrays": (entry_changed("weights", data_offsets=[0, 200]), "is not a model file"),
    "unknown number type": (entry_changed("active", dtype="F8"), "is not a model file"),
    "offsets as text": (entry_changed("active", data_offsets="ab"), "is not a model file"),
    "shape of another product": (entry_changed("active", shape=[25, 25]), "is not a model file"),
    "active set transposed": (
        lambda header: header["active"].__setitem__("shape", header["active"]["shape"][::-1]),
        "does not hold the parts of a model",
    ),
    "unknown kind": (model_changed(kind="forest"), "unknown kind 'forest'"),
    "unknown loss": (model_changed(loss="huber"), "unknown loss 'huber'"),
    "species missing": (model_changed(species=[1, 6]), "does not hold the parts of a model"),
    "species twice": (model_changed(species=[1, 6, 6, 8]), "does not hold the parts of a model"),
    "negative regularizer": (model_changed(regularizer=-1.0), "does not hold the parts of a model"),
    "zeta of zero": (model_changed(zeta=0.0), "does not hold the parts of a model"),
    "baseline too short": (model_changed(baseline=[1.0]), "does not hold the parts of a model"),
    "species as fractions": (model_changed(species=[1.5, 6, 7, 8]), "does not hold the parts of a model"),
    "unknown method": (model_changed(method="lu"), "unknown method 'lu'"),
    "infinite regularizer": (model_changed(regularizer=1e400), "does not hold the parts of a model"),
    "number beyond all": (model_changed(n_features=1e400), "does not hold the parts of a model"),
    "deep model": (metadata_changed(model="[" * 100_000), "does not hold the parts of a model"),
    "model as a number": (metadata_changed(model=3), "is not a model file"),
    "offsets as fractions": (entry_changed("active", data_offsets=[0.0, 62400.0]), "is not a model file"),
    "many extents": (entry_changed("active", shape=[1] * 100), "is not a model file"),
    "extents of thousands of digits": (entry_changed("active", shape=[10**4000] * 2000), "is not a model file"),
    "weights without baseline": (model_changed(baseline=None), "there are weights without a baseline"),
    "no factors": (model_changed(factors={}), "does not hold the parts of a model"),
    "provenance as a list": (model_changed(provenance=[1]), "does not hold the parts of a model"),
    "model as a list": (metadata_changed(model="[]"), "does not hold the parts of a model"),
    "no descriptor": (model_changed(descriptor=1), "the descriptor is neither a dictionary nor null"),
    "unknown descriptor": (model_changed(descriptor={"kind": "ace"}), "unknown kind of descriptor 'ace'"),
    "half a table": (model_changed(descriptor={"kind": "soap", "hypers": {}, "cutoff": 5}), "an entry is missing"),
    "empty hypers": (soap_changed({}), "contains a descriptor that cannot be used: hypers has no"),
    "hypers as text": (soap_changed("soap"), "hypers is not a dictionary"),
    "hypers of another model": (soap_changed(SMALLER), "has 312 features, but its radial table makes 156"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_file_whose_hash_is_right_but_whose_parts_disagree_is_refused(
    name: str, content: bytes, tmp_path: Path
) -> None:
    change, expected = FORGED[name]
    header, payload = header_of(content)
    change(header)
    assert expected in refused(with_header(header, payload), tmp_path)


def test_files_of_version_1_are_read(content: bytes, tmp_path: Path) -> None:
    header, payload = header_of(content)
    facts = json.loads(header["__metadata__"]["model"])
    facts["hypers"] = facts.pop("descriptor")["hypers"]
    header["__metadata__"] |= {"format_version": "1", "model": json.dumps(facts)}
    (tmp_path / "old.lpr").write_bytes(with_header(header, payload))
    old, model, frames = load_model(tmp_path / "old.lpr"), fitted(molecules(), n_active=25), molecules()
    np.testing.assert_array_equal(old.score(frames).lpr, model.score(frames).lpr)
    assert (old.hypers, old.provenance) == (model.hypers, model.provenance)
    old.save(tmp_path / "new.lpr")
    np.testing.assert_array_equal(load_model(tmp_path / "new.lpr").score(frames).lpr, model.score(frames).lpr)


def test_other_files_are_refused(tmp_path: Path) -> None:
    safetensors.numpy.save_file({"a": np.ones(3)}, tmp_path / "other.safetensors")
    others = {
        "safetensors": (tmp_path / "other.safetensors").read_bytes(),
        "text": b"hello, this is a text and no model",
        "header too long": struct.pack("<Q", 2**62) + b"{}",
        "deep JSON": struct.pack("<Q", 200_000) + b"[" * 200_000,
        "not UTF-8": struct.pack("<Q", 4) + b"\xff\xfe{}",
    }
    for content in others.values():
        assert "is not a model file of lpr_fast; give one that" in refused(content, tmp_path)
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "missing.lpr")
    with pytest.raises(IsADirectoryError):
        load_model(tmp_path)
