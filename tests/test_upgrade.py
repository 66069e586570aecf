"""`lpr-fast upgrade`: files of earlier versions become files of the current one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors
from ase import Atoms
from click.testing import CliRunner, Result

from lpr_fast import load_model
from lpr_fast.command_line._commands import lpr_fast

DATA = Path(__file__).resolve().parent.parent / "cpp" / "tests" / "data"
OLD = DATA / "v1"
SOAP = OLD / "structures" / "soap.lpr"


def upgrade(*arguments: Path) -> Result:
    return CliRunner().invoke(lpr_fast, ["upgrade", *map(str, arguments)], prog_name="lpr-fast")


def version(path: Path) -> str:
    with safetensors.safe_open(path, "np") as file:
        return str(file.metadata()["format_version"])


def scored_by_version_1() -> tuple[Atoms, np.ndarray]:
    """A structure, and what the version that wrote the model made of it."""
    table = np.loadtxt(SOAP.with_suffix(".txt"))
    frame = Atoms(table[:, 0].astype(int), table[:, 1:4], cell=[5.65, 5.65, 5.65], pbc=True)
    return frame, table[:, 4:]


@pytest.mark.parametrize("name", ["linear.lpr", "no_energies.lpr", "one_species.lpr"])
def test_models_of_arrays_keep_every_number(name: str, tmp_path: Path) -> None:
    result = upgrade(OLD / name, tmp_path / "new.lpr")
    assert (result.exit_code, result.output) == (0, f"written   {tmp_path / 'new.lpr'}\n")
    assert (version(OLD / name), version(tmp_path / "new.lpr")) == ("1", "2")
    old, new = load_model(OLD / name), load_model(tmp_path / "new.lpr")
    (text, arrays), (new_text, new_arrays) = old._model.parts(), new._model.parts()
    assert json.loads(text) == json.loads(new_text)
    assert list(arrays) == list(new_arrays)
    for array in arrays:
        np.testing.assert_array_equal(arrays[array], new_arrays[array])


def test_a_model_of_structures_scores_as_it_did(tmp_path: Path) -> None:
    assert upgrade(SOAP, tmp_path / "new.lpr").exit_code == 0
    assert (version(SOAP), version(tmp_path / "new.lpr")) == ("1", "2")
    frame, expected = scored_by_version_1()
    for model in (load_model(SOAP), load_model(tmp_path / "new.lpr")):
        scores = model.score(frame)
        for k, name in enumerate(("lpr", "variance", "residual", "local_energy")):
            np.testing.assert_allclose(getattr(scores, name), expected[:, k], rtol=1e-5, atol=1e-9, err_msg=name)


def test_a_model_of_the_current_version_is_written_byte_by_byte(tmp_path: Path) -> None:
    current = DATA / "structures" / "soap.lpr"
    assert upgrade(current, tmp_path / "new.lpr").exit_code == 0
    assert (tmp_path / "new.lpr").read_bytes() == current.read_bytes()


def test_the_new_file_is_scored_without_featomic(tmp_path: Path) -> None:
    assert upgrade(SOAP, tmp_path / "new.lpr").exit_code == 0
    code = "import sys; sys.modules['featomic'] = sys.modules['metatensor'] = None; import ase.build, lpr_fast; "
    code += "print(lpr_fast.load_model(sys.argv[1]).score(ase.build.bulk('GaAs', 'zincblende', a=5.65)).lpr.size)"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "new.lpr"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr


def test_the_input_is_not_overwritten(tmp_path: Path) -> None:
    shutil.copy(SOAP, tmp_path / "old.lpr")
    (tmp_path / "link.lpr").symlink_to(tmp_path / "old.lpr")
    for name in ("old.lpr", "link.lpr"):
        result = upgrade(tmp_path / "old.lpr", tmp_path / name)
        assert result.exit_code == 2
        assert result.output == f"lpr-fast: {tmp_path / name} would overwrite an input; give another name.\n"
    assert (tmp_path / "old.lpr").read_bytes() == SOAP.read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (OLD / "nowhere.lpr", "new.lpr", "No such file"),
        (OLD.parent / "linear.txt", "new.lpr", "is not a model file"),
        (OLD / "two_species.lpr", "new.lpr", "contains a descriptor that cannot be used: the model has 5 features"),
        (SOAP, "nowhere/new.lpr", "does not exist; make it first"),
        (SOAP, ".", "is a folder"),
    ],
)
def test_mistakes_get_one_sentence(old: Path, new: str, sentence: str, tmp_path: Path) -> None:
    result = upgrade(old, tmp_path / new)
    assert result.exit_code == 2
    assert result.output.startswith("lpr-fast: ")
    assert result.output.count("\n") == 1
    assert sentence in result.output
    assert not list(tmp_path.iterdir())
