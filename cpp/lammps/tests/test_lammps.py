"""`compute lpr/atom` gives the scores of the Python package, for any division of the box among processors."""

from __future__ import annotations

from pathlib import Path

import ase.build
import numpy as np
import pytest
from lammps_runs import GALLIUM_NITRIDE, QUANTITIES, Lammps, Run, dump, silicon
from tests.structures import fitted, rattled, with_committee

from lpr_fast import SparseKernelModel

ALL = "quantity " + " ".join(QUANTITIES)
OF_SEVERAL_SPECIES = ("lpr_held", "sigma", "spread", *QUANTITIES)
TILTED = "change_box all triclinic\nchange_box all xy final 3.1 xz final -1.2 yz final 2.0 remap units box"


@pytest.fixture(scope="module")
def silicon_model() -> SparseKernelModel:
    return fitted()


@pytest.fixture(scope="module")
def nitride_model() -> SparseKernelModel:
    cell = ase.build.bulk("GaN", "zincblende", a=4.5, cubic=True)
    model = fitted([rattled(cell, seed) for seed in range(6)]).calibrate([rattled(cell, seed) for seed in range(6, 10)])
    return with_committee(model)


@pytest.fixture
def model(silicon_model: SparseKernelModel, tmp_path: Path) -> SparseKernelModel:
    silicon_model.save(tmp_path / "model.lpr")
    return silicon_model


def check(run: Run, model: SparseKernelModel, quantities: tuple[str, ...] = QUANTITIES) -> None:
    for number, frame in enumerate(run.frames):
        expected = model.score(frame)
        for column, name in enumerate(quantities, start=1):
            found = run.column(f"c_lpr[{column}]", number)
            # Within a bin of the reference, a thousandth of the LPR, the percentile may differ by one environment.
            rtol = 1e-6 if name == "percentile" else 1e-10
            np.testing.assert_allclose(found, getattr(expected, name), rtol=rtol, atol=1e-13, err_msg=name)


def test_atoms_have_their_scores_all_through_a_run(lammps: Lammps, model: SparseKernelModel) -> None:
    run = lammps.succeed(
        silicon()
        + f"compute lpr all lpr/atom model.lpr Si {ALL}\nvelocity all create 2500 1\nfix nve all nve\n"
        + dump("c_lpr[*]", every=50)
        + "run 150\n"
    )
    assert len(run.frames) == 4
    check(run, model)


@pytest.mark.parametrize("newton", ["on", "off"])
@pytest.mark.parametrize("change", ["", TILTED], ids=["orthogonal", "triclinic"])
def test_processors_newton_and_tilt_change_nothing(
    lammps: Lammps, model: SparseKernelModel, newton: str, change: str
) -> None:
    script = silicon(newton, change).replace("sw\n", "zero 3.8\n", 1).replace("{pot}/Si.sw Si", "")
    script += f"compute lpr all lpr/atom model.lpr Si {ALL}\n" + dump("c_lpr[*]") + "run 0\n"
    runs = []
    for ranks in (1, 2, 4):
        run = lammps.succeed(script, ranks=ranks)
        check(run, model)
        runs.append(run)
        for k in range(1, 5):  # sorted, for atoms are numbered as processors create them
            found, expected = (np.sort(r.column(f"c_lpr[{k}]")) for r in (run, runs[0]))
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


MOVES = {
    "deform": "fix n all nve\nfix d all deform 1 x erate 2 remap x",
    "deform without remap": "fix n all nve\nfix d all deform 1 x erate 2 remap none",
    "deform every fifth step": "neigh_modify delay 10 every 5\nfix n all nve\nfix d all deform 5 x erate 2 remap x",
    "deform in levels of respa": "run_style respa 2 2\nfix n all nve\nfix d all deform 1 y erate -2 remap x",
    "shear with flips": f"{TILTED}\nfix n all nve\nfix d all deform 1 xy erate 40 remap x flip yes",
    "shear of velocities": f"{TILTED}\nfix n all nvt/sllod temp 300 300 0.1\nfix d all deform 1 xy erate 3 remap v",
    "barostat of Berendsen": "fix n all nve\nfix p all press/berendsen iso 0 1000 0.01 modulus 10000",
    "barostat of Nose and Hoover": f"{TILTED}\nfix n all nph tri 0 50000 0.1",
    "prescribed motion": "fix m all move linear 30 20 10",
}


@pytest.mark.parametrize(("newton", "ranks"), [("on", 1), ("off", 1), ("on", 2), ("off", 4)])
@pytest.mark.parametrize("moves", MOVES.values(), ids=MOVES)
def test_a_box_that_changes_during_a_step_is_scored_as_it_is_at_its_end(
    lammps: Lammps, model: SparseKernelModel, moves: str, newton: str, ranks: int
) -> None:
    """Some fixes change the box at the end of a step, after the communication of ghost atoms."""
    script = silicon(newton).replace("sw\n", "zero 3.8\n", 1).replace("{pot}/Si.sw Si", "")
    script += f"compute lpr all lpr/atom model.lpr Si {ALL}\nvelocity all create 300 1\n{moves}\n"
    # Few steps, and four ranks once: on two cores they mostly wait for each other. The shear flips the box once.
    run = lammps.succeed(script + dump("c_lpr[*]", every=10) + "run 20\n", ranks=ranks)
    assert len(run.frames) == 3
    check(run, model)


@pytest.mark.parametrize("style", ["iso", "tri"])
def test_a_box_that_is_relaxed_is_scored_as_it_is(lammps: Lammps, model: SparseKernelModel, style: str) -> None:
    script = silicon("on", TILTED) + f"compute lpr all lpr/atom model.lpr Si {ALL}\n"
    script += f"fix b all box/relax {style} 20000\n" + dump("c_lpr[*]", every=5) + "minimize 0 0 10 50\n"
    check(lammps.succeed(script, ranks=2), model)


def test_what_changes_between_runs_is_seen(lammps: Lammps, model: SparseKernelModel) -> None:
    script = silicon() + f"compute lpr all lpr/atom model.lpr Si {ALL}\n" + dump("c_lpr[*]", every=1)
    script += "run 1\ndisplace_atoms all random 0.1 0.1 0.1 11\nrun 1\n"
    script += "change_box all x scale 1.03 y scale 0.98 remap\nrun 1\n"
    run = lammps.succeed(script, ranks=2)
    check(run, model)


def test_two_species_have_all_scores_with_their_means_held_and_in_units_of_energy_too(
    lammps: Lammps, nitride_model: SparseKernelModel
) -> None:
    nitride_model.save(lammps.folder / "model.lpr")
    names = " ".join(OF_SEVERAL_SPECIES)
    script = GALLIUM_NITRIDE + f"compute lpr all lpr/atom model.lpr Ga N quantity {names}\n" + dump("c_lpr[*]", "Ga N")
    check(lammps.succeed(script + "run 0\n"), nitride_model, OF_SEVERAL_SPECIES)
    script += "velocity all create 900 5\nfix n all nve\nrun 20\n"
    check(lammps.succeed(script, ranks=2), nitride_model, OF_SEVERAL_SPECIES)


def test_types_that_are_null_are_neither_scored_nor_seen(lammps: Lammps, model: SparseKernelModel) -> None:
    """In a mixture of silicon with atoms of a NULL type, the model sees only the silicon."""
    script = GALLIUM_NITRIDE + f"compute lpr all lpr/atom model.lpr Si NULL {ALL}\n" + dump("c_lpr[*]", "Si N")
    run = lammps.succeed(script + "run 0\n")
    frame = run.frames[0]
    is_silicon = frame.numbers == 14
    expected = model.score(frame[is_silicon])
    np.testing.assert_allclose(run.column("c_lpr[1]")[is_silicon], expected.lpr, rtol=1e-10)
    assert not run.column("c_lpr[1]")[~is_silicon].any()


@pytest.mark.parametrize("last", [20, 5])  # atom 5 alone: one processor has only ghost atoms and others
def test_atoms_outside_the_group_are_seen_and_have_zeros(lammps: Lammps, model: SparseKernelModel, last: int) -> None:
    script = silicon() + f"group some id 5:{last}\ncompute lpr some lpr/atom model.lpr Si\n" + dump("c_lpr") + "run 0\n"
    run = lammps.succeed(script, ranks=2)
    expected = model.score(run.frames[0]).lpr
    expected[:4] = expected[last:] = 0.0
    np.testing.assert_allclose(run.column("c_lpr"), expected, rtol=1e-10)


def test_a_lone_atom_on_one_of_four_processors_has_no_rigidity(lammps: Lammps, model: SparseKernelModel) -> None:
    script = f"""
        units metal
        boundary f f f
        region box block 0 40 0 40 0 40
        create_box 1 box
        create_atoms 1 single 5 5 5
        mass 1 28
        pair_style zero 4.0
        pair_coeff * *
        compute lpr all lpr/atom model.lpr Si {ALL}
    """
    check(lammps.succeed(script + dump("c_lpr[*]") + "run 0\n", ranks=4), model)


def test_the_lowest_rigidity_is_there_for_thermo_variables_and_reductions(
    lammps: Lammps, model: SparseKernelModel
) -> None:
    script = silicon() + "compute lpr all lpr/atom model.lpr Si\ncompute low all reduce min c_lpr\n"
    script += "variable low equal c_low\nvariable scaled atom 2*c_lpr\ncompute twice all reduce min v_scaled\n"
    script += "thermo_style custom step c_low v_low c_twice\n" + dump("c_lpr") + "run 0\n"
    run = lammps.succeed(script, ranks=2)
    low = model.score(run.frames[0]).lpr.min()
    np.testing.assert_allclose([run.thermo(1)[0], run.thermo(2)[0], run.thermo(3)[0] / 2], low, rtol=1e-6)


def test_frames_that_were_dumped_are_scored_by_rerun(lammps: Lammps, model: SparseKernelModel) -> None:
    start = silicon()
    lammps.succeed(start + dump("vx", every=20) + "velocity all create 2500 1\nfix nve all nve\nrun 60\n")
    (lammps.folder / "dump").rename(lammps.folder / "trajectory")
    script = start + f"compute lpr all lpr/atom model.lpr Si {ALL}\n" + dump("c_lpr[*]")
    run = lammps.succeed(script + "rerun trajectory dump x y z\n", ranks=2)
    assert len(run.frames) == 4
    check(run, model)


def test_fix_halt_stops_a_run_that_melts(lammps: Lammps, model: SparseKernelModel) -> None:
    crystal = model.score(rattled(ase.build.bulk("Si", cubic=True), 0)).lpr.min()
    script = silicon().replace("0.15 0.15 0.15", "0.01 0.01 0.01")
    script += "compute lpr all lpr/atom model.lpr Si\ncompute low all reduce min c_lpr\nvariable low equal c_low\n"
    script += f"fix stop all halt 5 v_low < {0.2 * crystal} error continue\nthermo 5\nthermo_style custom step c_low\n"
    script += "velocity all create 12000 4\nfix nve all nve\nrun 5000\n"
    run = lammps.succeed(script)
    steps, low = run.thermo(0), run.thermo(1)
    assert 0 < steps[-1] < 5000
    assert low[-1] < 0.2 * crystal
    assert min(low[:-1]) >= 0.2 * crystal


@pytest.mark.usefixtures("model")
def test_threads_of_lammps_change_no_bit(lammps: Lammps) -> None:
    script = silicon() + "compute lpr all lpr/atom model.lpr Si\n" + dump("c_lpr") + "run 0\n"
    one = lammps.succeed(script, OMP_NUM_THREADS="1").column("c_lpr")
    np.testing.assert_array_equal(one, lammps.succeed(script, OMP_NUM_THREADS="3").column("c_lpr"))


def test_a_box_that_is_smaller_than_the_cutoff(lammps: Lammps, model: SparseKernelModel) -> None:
    script = silicon().replace("0 2 0 2 0 2", "0 1 0 1 0 1").replace("comm_modify cutoff 5.6", "comm_modify cutoff 7.0")
    run = lammps.succeed(script + f"compute lpr all lpr/atom model.lpr Si {ALL}\n" + dump("c_lpr[*]") + "run 0\n")
    assert len(run.frames[0]) == 8
    check(run, model)
