"""The case studies of docs/gallery at reduced size: what they find has the direction and the size that their pages say.

Each runs with several seeds, and its worst seed has to do. `python docs/gallery/NAME.py --full` gives the numbers of
the page.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from common import DATA, Study, by_name

GALLERY = Path(__file__).parents[1] / "docs" / "gallery"
NAMES = sorted(path.stem for path in GALLERY.glob("*.py") if path.stem != "common")


def study(name: str) -> Study:
    return importlib.import_module(name).STUDY


@cache
def found(name: str) -> dict[str, list[float]]:
    """The numbers of a case study, at reduced size, seed by seed."""
    case = study(name)
    if case.missing:
        pytest.skip(f"{', '.join(case.missing)} absent from {DATA}: not distributed; set LPR_FAST_DATA to the folder")
    return by_name([case.measure(case.reduced, seed) for seed in range(case.n_seeds[0])])


# Scripts and pages


@pytest.mark.parametrize("name", NAMES)
def test_what_a_reader_copies_has_ten_lines_at_most_and_is_on_the_page(name: str) -> None:
    source = inspect.getsource(study(name).recipe)
    lines = [line for line in source.split('"""')[2].splitlines() if line.strip() and not line.strip().startswith("#")]
    assert len(lines) <= 10
    page = (GALLERY / f"{name}.py").read_text()
    assert f"# .. literalinclude:: /gallery/{name}.py\n#    :language: python\n#    :pyobject: recipe\n" in page


@pytest.mark.parametrize("name", NAMES)
def test_the_page_has_the_numbers_of_the_command_and_the_picture(name: str) -> None:
    command, _, *lines = (GALLERY / f"{name}.txt").read_text().splitlines()
    assert command == f"$ python docs/gallery/{name}.py --full"
    assert {re.split(r"  +", line)[0] for line in lines} == set(found(name))
    page = (GALLERY / f"{name}.py").read_text()
    assert f"# .. literalinclude:: /gallery/{name}.txt\n" in page
    assert f".. image:: /gallery/{name}.png\n   :alt: " in page
    assert (GALLERY / f"{name}.png").stat().st_size < 150_000


def test_a_script_writes_its_table_its_numbers_and_its_picture_and_says_where(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", GALLERY / "toy.py", "--seeds", "1", "--out", "not/there yet"]
    printed = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=120).stdout
    written = {path.name: path for path in (tmp_path / "not" / "there yet").iterdir()}
    assert set(written) == {"toy.txt", "toy.json", "toy.png"}
    assert printed.startswith(written["toy.txt"].read_text())
    assert json.loads(written["toy.json"].read_text())["numbers"] == {
        name: values[:1] for name, values in found("toy").items()
    }
    assert printed.endswith("wrote not/there yet/toy.txt, not/there yet/toy.json and not/there yet/toy.png\n")


def test_a_script_whose_data_are_absent_says_what_to_do(tmp_path: Path) -> None:
    needing = [name for name in NAMES if study(name).needs]
    if not needing:
        pytest.skip("no case study needs real structures")
    command = [sys.executable, GALLERY / f"{needing[0]}.py"]
    done = subprocess.run(
        command, env=os.environ | {"LPR_FAST_DATA": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert f"not found in {tmp_path}; set LPR_FAST_DATA to the folder that has it." in done.stderr


# What they find


def test_toy_the_peak_is_where_the_replicated_environment_is_and_one_pure_structure_lifts_both_parts() -> None:
    numbers = found("toy")
    assert max(numbers["largest difference of curvature and LPR, relative"]) < 1e-8
    assert max(numbers["distance of the highest LPR from the replicated x"]) <= 0.005
    assert min(numbers["mu = 1e-05: peak over median elsewhere"]) > 5
    for kind in ("phases", "types"):
        assert max(numbers[f"two {kind}: largest LPR of either"]) < 1e-5
        assert min(numbers[f"two {kind}: LPR of half of each"]) > 1
        for part in ("first", "second"):
            rises = numbers[f"two {kind}, one structure of the first alone: least rise of the {part}"]
            assert min(rises) > 1000


def test_silicon_a_tenth_of_defective_structures_raises_the_lpr_of_defects_where_the_descriptor_counts_neighbours() -> (
    None
):
    numbers = found("silicon")
    sharp, two_shells = "cutoff 2.85 Å in 0.1 Å, mu 0.001", "cutoff 4.5 Å in 0.5 Å, mu 0.001"
    for kind in ("two-fold", "three-fold", "five-fold"):
        rise = f"LPR of {kind} atoms, after / before"
        assert min(numbers[f"{sharp}: {rise}"]) > 8
        assert max(numbers[f"{two_shells}: {rise}"]) < 3
    assert max(numbers[f"{sharp}: LPR of four-fold atoms, after / before"]) < 2
    for when in ("before", "after"):
        assert max(numbers[f"rank correlation of LPR and committee variance, {when}"]) < -0.8
    assert max(numbers["rank correlation of LPR and error of local energies, before"]) < -0.2
    assert min(numbers["largest fall of the SR deviation (meV, prior 1 eV)"]) > 50


def test_linear_models_show_the_same_and_their_lpr_vanishes_with_the_regularizer_and_exceeds_one() -> None:
    numbers = found("linear")
    for kind in ("two-fold", "three-fold", "five-fold"):
        assert min(numbers[f"LPR of {kind} atoms, after / before"]) > 8
    assert max(numbers["LPR of four-fold atoms, after / before"]) < 3
    assert all(0.95 < power < 1.05 for power in numbers["least power of mu that the LPR falls with, at the end"])
    for n in (1, 5):
        name = f"loss per atom, {n} structure{'s' * (n > 1)} of the crystal, mu = 1e-05: LPR of its atoms"
        assert all(n < lpr < 4 * n for lpr in numbers[name])


def test_beyond_the_inverse_of_the_hessian_fails_at_small_regularizers_and_only_the_residual_tells_the_blind_spot() -> (
    None
):
    numbers = found("beyond")
    assert max(numbers["mu = 0.01: atoms wrong by more than 10 % (%)"]) < 1
    assert min(numbers["mu = 1e-08: atoms wrong by more than 10 % (%)"]) > 50
    assert min(numbers["mu = 1e-08: atoms with a negative LPR (%)"]) > 1
    for zeta, rise in ((4, 3), (12, 1e6)):
        of_pair, of_melt = (numbers[f"zeta {zeta}, {name}: LPR"] for name in ("pair at 1.0 Å", "melt, 3600 K"))
        assert all(high > rise * low for high, low in zip(of_pair, of_melt, strict=True))
        assert min(numbers[f"zeta {zeta}, pair at 1.0 Å: residual"]) > 0.99
        assert set(numbers[f"zeta {zeta}, pair at 1.0 Å: verdict (2: unlike the training set)"]) == {2}
        assert set(numbers[f"zeta {zeta}, crystal, 300 K: verdict (2: unlike the training set)"]) == {0}
    crystal, melt, pair = ("zeta 12, " + name for name in ("crystal, 300 K", "melt, 3600 K", "pair at 1.0 Å"))
    assert min(numbers[f"{pair}: LPR"]) > 1e3 * max(numbers[f"{crystal}: LPR"])
    assert min(numbers[f"{pair}: residual"]) > 0.999
    assert max(numbers[f"{melt}: LPR"]) < 0.1 * min(numbers[f"{crystal}: LPR"])


def test_carbon_other_proportions_and_a_crystal_raise_both_kinds_where_the_cutoff_is_short() -> None:
    numbers = found("carbon")
    for kind in ("sp2", "sp3"):
        assert min(numbers[f"exactly 1 : 1, other proportions: LPR of {kind}, times"]) > 5
        assert min(numbers[f"other proportions: LPR of {kind}, times"]) > 1.2
        assert min(numbers[f"one cell of 64 diamond atoms: LPR of {kind}, times"]) > 1.2
        assert max(numbers[f"cutoff 3.7, other proportions: LPR of {kind}, times"]) < 1.2
    of_diamond = [numbers[f"one cell of 64 diamond atoms: LPR of {kind}, times"] for kind in ("sp2", "sp3")]
    assert all(sp3 > 1.3 * sp2 for sp2, sp3 in zip(*of_diamond, strict=True))
    assert max(numbers["one cell of 8 diamond atoms: LPR of sp3, times"]) < min(of_diamond[1])


def test_films_are_more_rigid_where_they_are_like_what_was_added_and_errors_hardly_change() -> None:
    numbers = found("films")
    for what in ("", "anew, "):
        assert min(numbers[f"{what}diamond-like: LPR of the nearest, + %"]) > 8
        assert min(numbers[f"{what}both kinds: LPR of the nearest, + %"]) > 3
        assert min(numbers[f"{what}diamond-like: largest fall of the variance, %"]) > 40
    assert min(numbers["graphite-like: LPR of the nearest, + %"]) > 1
    for kind in ("diamond-like", "graphite-like", "both kinds"):
        pairs = zip(*(numbers[f"{kind}: LPR of {which}, + %"] for which in ("the nearest", "all atoms")), strict=True)
        assert all(nearest > 3 * of_all for nearest, of_all in pairs)
        errors = [numbers[f"{when}: sd of errors of held-out cells, % of theirs"] for when in ("before", kind)]
        assert all(after < before + 4 for before, after in zip(*errors, strict=True))


def test_surfaces_are_loose_for_a_model_of_dense_carbon_and_thin_structures_pin_them_down() -> None:
    numbers = found("surfaces")
    for mu in ("0.001", "0.01", "0.1", "1"):
        assert max(numbers[f"mu = {mu}, dense alone: LPR at surfaces over elsewhere"]) < 0.25
        assert min(numbers[f"mu = {mu}, 1 % thin: LPR at surfaces, times"]) > 1.05
        elsewhere = numbers[f"mu = {mu}, 1 % thin: LPR elsewhere, times"]
        assert max(elsewhere) < 1.1


def test_species_both_gain_from_other_compositions_and_from_either_pure_element() -> None:
    numbers = found("species")
    for element in ("Mo", "Ta"):
        assert min(numbers[f"Mo-Ta, other compositions: LPR of {element}, times"]) > 10
        assert min(numbers[f"Mo-Ta to 5 Å, other compositions: LPR of {element}, times"]) > 1.2
        for added in ("pure Mo", "pure Ta"):
            assert min(numbers[f"Mo-Ta, {added}: LPR of {element}, times"]) > 1.5
            assert min(numbers[f"Mo-Ta, {added}: held LPR of {element}, times"]) > 1.1
    for element in ("Ga", "As"):
        assert min(numbers[f"GaAs, other compositions: LPR of {element}, times"]) > 1.2
        assert min(numbers[f"GaAs, pure Ga: LPR of {element}, times"]) > 1.2


def test_network_and_kernel_model_have_committees_that_disagree_where_the_rigidity_is_low() -> None:
    numbers = found("network")
    for name in ("kernel", "network"):
        assert max(numbers[f"{name}: rank correlation of variance and LPR"]) < -0.4
        assert max(numbers[f"{name}: slope of log variance over log LPR"]) < -0.3
    lowest, highest = (
        numbers[f"difference of local energies, {fifth} fifth of LPR, meV"] for fifth in ("lowest", "highest")
    )
    assert all(loose > 1.2 * rigid for loose, rigid in zip(lowest, highest, strict=True))
    assert max(numbers["network: share of the loss still to be gained"]) < 0.01


def test_the_remedy_gains_what_was_predicted_and_more_than_random_or_farthest_choices() -> None:
    numbers = found("remedy")
    assert max(numbers["predicted over measured LPR, less 1"]) < 1e-8
    suggested = numbers["taken off the variance, suggested, measured, %"]
    for way, margin in (("random, best of 20", 1.0), ("random, mean of 20", 1.5), ("farthest points", 1.3)):
        others = numbers[f"taken off the variance, {way}, predicted, %"]
        assert all(ours > margin * theirs for ours, theirs in zip(suggested, others, strict=True))


def test_the_loop_lowers_the_force_errors_of_the_run_whatever_chooses() -> None:
    numbers = found("loop")
    for system in ("silicon", "CuAu"):
        begin = numbers[f"{system}, force error in the beginning, meV/Å"]
        for way in ("suggested for the run", "suggested for the pool", "random", "farthest points"):
            end = numbers[f"{system}, force error in the end, {way}, meV/Å"]
            assert all(0.0 < after < 0.97 * before for before, after in zip(begin, end, strict=True))
