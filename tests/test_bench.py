"""The benchmarks at toy size, so that they cannot rot: all rows have their numbers. How large decides nothing."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest

BENCH = Path(__file__).parents[1] / "bench"
SCRIPTS = sorted(path.name for path in BENCH.glob("*.py") if path.name != "measure.py")
NUMBER = re.compile(r"(?<![\w.-])-?\d[\d.]*(?:e[+-]?\d+)?(?![\w.])")

# Sizes of the groups of numbers that follow the name of a row; those of one group ascend.
SECONDS_AND_RATIOS = (3, 3)  # least, median and largest of each
QUANTILES = (5,)
OF_PARTS = (3, 3, 3, 3)  # lowest, mean and highest of the seeds, for each kind of frames
US_PER_ROW = (3,)

ROWS: dict[str, dict[str, tuple[int, ...]]] = {
    "beside.py": dict.fromkeys(["alpha 1e-02", "alpha 1e-04"], (1,) * 7),
    "committee.py": dict.fromkeys(
        [
            "one model",
            "with the spread of 10 members",
            "and their 10 energies",
            "variances",
            "whitened rows",
            "second moments",
        ],
        SECONDS_AND_RATIOS,
    ),
    "committee_fit.py": dict.fromkeys(
        ["fit, rows kept", "a model from rows", "a committee of ten from rows"], SECONDS_AND_RATIOS
    ),
    "driving.py": dict.fromkeys(
        ["no bias", "loose, 0.3", "loose, 1, limit 0.1", "loose, 3, limit 0.1", "hot, no bias", "hot, known, 0.3"],
        (1,) * 12,  # means and standard deviations
    )
    | dict.fromkeys(
        ["scores  ", "energies, forces and stress", "bias towards loose", "bias towards known"], SECONDS_AND_RATIOS
    ),
    "fit_memory.py": {"10 ": (1, 1), "100 ": (1, 1)},
    "force_rows.py": dict.fromkeys(
        [
            "silicon, 5 A, 216 atoms",
            "silicon, 5 A, small cell, 8 atoms",
            "carbon, 4.5 A, 216 atoms",
            "Mo-Ta, 5 A, 128 atoms",
        ],
        (1, 1, 1, 3),
    ),
    "force_sigma.py": {f"fifth {n}": (1, 1, 1) for n in range(1, 6)}
    | dict.fromkeys(["scores  ", "subset of regressors  ", "with the exact residual  "], (1, 1)),
    "forces.py": dict.fromkeys(
        [
            "energies  ",
            "features  ",
            "energies, forces, virial",
            "the same of ten weight vectors",
            "scores  ",
            "gradient of lpr  ",
            "gradient of lpr_held",
            "gradient of variance",
            "gradient of residual",
            "gradient of the smooth smallest lpr",
        ],
        SECONDS_AND_RATIOS,
    ),
    "gap_fit.py": {"lpr_fast  ": (1,) * 6},
    "gram.py": dict.fromkeys(["qr  ", "gram  "], SECONDS_AND_RATIOS),
    "held.py": dict.fromkeys(
        ["plain, from phi", "held, from phi", "plain, from features", "plain and held, from features"],
        SECONDS_AND_RATIOS,
    ),
    "import_time.py": dict.fromkeys(["import numpy", "import lpr_fast"], SECONDS_AND_RATIOS),
    "influence.py": dict.fromkeys(["one refit", "influence of all"], SECONDS_AND_RATIOS)
    | {"fitted anew:": (1, 1), "typical error over what is expected:": (1, 1)},
    "kernel.py": dict.fromkeys(
        ["lpr_fast  ", "inv(H), einsum", "dtrsm, 1 of BLAS, 16 rows", "scikit-matter's loop", "the factor of all"],
        US_PER_ROW,
    )
    | {"16 -> 64": (1,), "multiply-adds, 1 threads": (1, 2), "16     8": (1, 1, 1, 1, 1, 2)},
    "numerics.py": dict.fromkeys(
        [
            "chain",
            "tree",
            "one QR of all rows",
            "lpr_fast  ",
            "rows sorted  ",
            "rows sorted, columns pivoted (lpr_fast)",
            "M = 300, rank 290",
            "eps cond(H)",
            "first order, columns of K_MM",
            "first order, the test phi",
            "error_estimate",
            "s over 3 perturbations",
            "s over 16 perturbations",
        ],
        QUANTILES,
    ),
    "regularizer.py": dict.fromkeys(["sum of the rows", "decomposition", "left-out errors"], SECONDS_AND_RATIOS),
    "rows.py": dict.fromkeys(["fit, rows kept", "from rows", "from half of the rows"], SECONDS_AND_RATIOS),
    "soap.py": dict.fromkeys(["lpr_fast  ", "featomic"], SECONDS_AND_RATIOS),
    "soap_gradient.py": dict.fromkeys(["features  ", "features and gradient"], SECONDS_AND_RATIOS),
    "structures.py": {"2 ": (1, 1, 1), "4 ": (1, 1, 1)},
    "suggest.py": dict.fromkeys(["multiply-adds", "suggest"], SECONDS_AND_RATIOS),
    "thin.py": dict.fromkeys(
        ["fit within the span", "fit by all columns", "1000 LPR within the span", "1000 LPR by all columns"],
        SECONDS_AND_RATIOS,
    )
    | dict.fromkeys(["within the span", "by all columns"], (1,)),
    "torch_rows.py": dict.fromkeys(
        ["vmap(jacrev) by hand", "rows of atoms  ", "rows of structures"], SECONDS_AND_RATIOS
    )
    | {"32     ": (2,), "128     ": (2,)},
    "trajectories.py": {"1        1728    2GB": (1,) * 12}
    | dict.fromkeys(
        ["scoring", "reading", "writing extended XYZ", "all, from file to .h5 and .csv", "all, and extended XYZ"],
        SECONDS_AND_RATIOS,
    ),
    "verdicts.py": dict.fromkeys(
        [
            "any atom below the lowest training LPR",
            "held LPR below 1 %  ",
            "residual above 99.9 %",
            "verdict 1 or 2",
            "verdict, more than 10 % of the atoms",
            "1/sqrt(plain LPR)",
            "1/sqrt(held LPR)",
            "residual  ",
            "spread of a committee",
            "lowest  ",
            "frames  ",
        ],
        OF_PARTS,
    ),
    "waiting.py": dict.fromkeys(["1 thread", "2 threads"], SECONDS_AND_RATIOS),
    "whole_way.py": dict.fromkeys(["score one frame", "score frames of 64", "fit  "], (1, 1, 1, 1)),
    "workers.py": dict.fromkeys(["1 worker  ", "2 workers", "no workers, all cores"], SECONDS_AND_RATIOS)
    | {"start-up of 1 worker:": (1,)},
}


def numbers_of(printed: str, row: str) -> list[list[float]]:
    """The numbers behind the name, in each line that begins with it."""
    found = [line.strip().removeprefix(row) for line in printed.splitlines() if line.strip().startswith(row)]
    return [[float(number) for number in NUMBER.findall(line)] for line in found]


def test_the_rows_of_all_benchmarks_are_known() -> None:
    assert list(ROWS) == SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_benchmark_has_numbers_for_every_row_and_repeats_its_command(script: str) -> None:
    command = [sys.executable, "-W", "error", script, "--toy", "--repeats", "2"]
    result = subprocess.run(command, cwd=BENCH, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith(f"command: python {script} --toy --repeats 2\n")
    for row, groups in ROWS[script].items():
        lines = numbers_of(result.stdout, row)
        assert lines, f"no row {row}"
        for numbers in lines:
            assert all(map(math.isfinite, numbers))
            assert len(numbers) >= sum(groups), f"{row}: {numbers}"  # a peer's name behind them may hold more
            for size in groups:
                group, numbers = numbers[:size], numbers[size:]
                assert group == sorted(group), f"{row}: {group}"


def test_systems_that_melt_can_be_had_as_files(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "melts.files", "CuAu", str(tmp_path), "--toy"]
    subprocess.run(command, cwd=BENCH, check=True, capture_output=True, timeout=600)
    training = ase.io.read(tmp_path / "CuAu_train.xyz", ":")
    assert all(np.isfinite(frame.get_potential_energy()) for frame in training)
    assert len(ase.io.read(tmp_path / "CuAu_md.xyz", ":")) > 1
