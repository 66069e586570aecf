"""Wrong input stops the run with one sentence that says what to do."""

from __future__ import annotations

import importlib.util
import struct
from pathlib import Path

import pytest
from lammps_runs import Lammps, silicon
from tests.structures import fitted

VERSION_1 = Path(__file__).resolve().parents[2] / "tests" / "data" / "v1" / "two_species.lpr"


@pytest.fixture(autouse=True)
def _model(lammps: Lammps) -> None:
    fitted().save(lammps.folder / "model.lpr")
    fitted(energy_key=None).save(lammps.folder / "without_energies.lpr")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "the model file is missing"),
        ("nowhere.lpr Si", "nowhere.lpr"),
        ("in Si", "not a model file"),
        ("model.lpr", "0 elements for 1 atom types"),
        ("model.lpr Si Si", "2 elements for 1 atom types"),
        ("model.lpr Sj", "'Sj' is no chemical element"),
        ("model.lpr Ge", "the model does not know Ge, only Si"),
        ("model.lpr Si quantity", "nothing follows 'quantity'"),
        ("model.lpr Si quantity stress", "'stress' is no quantity"),
        ("model.lpr Si quantity lpr_held", "the model holds no rows"),
        ("model.lpr Si quantity lpr sigma", "sigma cannot be scored: the model was not calibrated; choose from lpr"),
        ("model.lpr Si features c_other", "leave 'features c_ID' out"),
        ("without_energies.lpr Si quantity local_energy", "fitted without energies"),
        (f"{VERSION_1} Si", "no radial integrals, because it is of version 1; convert it with lpr-fast upgrade"),
    ],
)
def test_wrong_arguments_are_refused(lammps: Lammps, arguments: str, message: str) -> None:
    run = lammps.run(silicon() + f"compute lpr all lpr/atom {arguments}\nrun 0\n")
    assert run.code != 0
    (line,) = [line for line in run.output.splitlines() if line.startswith("ERROR")]
    assert "compute lpr/atom: " in line
    assert message in line


@pytest.mark.parametrize("ranks", [1, 2])
def test_ghost_atoms_that_do_not_reach_far_enough(lammps: Lammps, ranks: int) -> None:
    script = silicon().replace("comm_modify cutoff 5.6", "neighbor 0.5 bin").replace("sw\n", "zero 3.0\n", 1)
    script = script.replace("pair_coeff * * {pot}/Si.sw Si", "pair_coeff * *")
    script += "compute lpr all lpr/atom model.lpr Si\ncompute low all reduce min c_lpr\n"
    run = lammps.run(script + "thermo_style custom step c_low\nrun 0\n", ranks=ranks)
    assert run.code != 0
    assert "add 'comm_modify cutoff 4' to the input" in run.output
    lammps.succeed(script + "comm_modify cutoff 4\nthermo_style custom step c_low\nrun 0\n", ranks=ranks)


def test_units_of_other_lengths(lammps: Lammps) -> None:
    run = lammps.run("units nano\nregion b block 0 1 0 1 0 1\ncreate_box 1 b\ncompute lpr all lpr/atom model.lpr Si\n")
    assert run.code != 0
    assert "use units metal or real" in run.output


def test_before_there_is_a_box(lammps: Lammps) -> None:
    run = lammps.run("units metal\ncompute lpr all lpr/atom model.lpr Si\n")
    assert run.code != 0


def test_a_plugin_for_another_version_says_so_and_leaves_other_runs_alone(lammps: Lammps) -> None:
    plugin = Path(next(iter(importlib.util.find_spec("lpr_fast_lammps").submodule_search_locations))) / "lprplugin.so"
    code, version = plugin.read_bytes(), struct.pack("<i", 20250722)
    assert code.count(version) == 1
    (lammps.folder / "plugins").mkdir()
    other = lammps.folder / "plugins/otherplugin.so"
    other.write_bytes(code.replace(version, struct.pack("<i", 20240829)))
    script = "plugin clear\nplugin load plugins/otherplugin.so\nplugin list\n" + silicon()
    run = lammps.succeed(script + "run 0\n")
    assert "was built for LAMMPS 20240829, but this is LAMMPS 20250722" in run.output
    assert lammps.run(script + "compute lpr all lpr/atom model.lpr Si\n").code != 0
