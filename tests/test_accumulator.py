"""HessianAccumulator as Python sees it."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lpr_fast import HessianAccumulator, Rigidity

from .oracle.problems import Array

METHODS = ["qr", "gram"]


@pytest.fixture
def rows() -> Array:
    return np.random.default_rng(1).normal(size=(900, 12))


@pytest.mark.parametrize("method", METHODS)
def test_it_tells_what_it_holds(rows: Array, method: str) -> None:
    accumulator = HessianAccumulator(12, method)
    accumulator.add(rows[:0])
    assert accumulator.n_rows == 0
    accumulator.add(rows)
    assert (accumulator.size, accumulator.n_rows, accumulator.method) == (12, 900, method)
    assert repr(accumulator) == f"HessianAccumulator(12, method='{method}', n_rows=900)"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_rows", [0, 5, 900])
def test_pickles_and_copies_go_on_with_the_same_bits(rows: Array, method: str, n_rows: int) -> None:
    accumulator = HessianAccumulator(12, method)
    accumulator.add(rows[:n_rows])
    for other in (pickle.loads(pickle.dumps(accumulator)), copy.deepcopy(accumulator)):
        other.add(rows)
        reference = HessianAccumulator.from_bytes(accumulator.to_bytes())
        reference.add(rows)
        assert other.to_bytes() == reference.to_bytes()


@pytest.mark.parametrize("method", METHODS)
def test_merged_parts_answer_as_one(rows: Array, method: str) -> None:
    whole = Rigidity.from_features(rows, regularizer=1e-3, method=method)
    parts = [HessianAccumulator(12, method) for _ in range(3)]
    for part, block in zip(parts, np.array_split(rows, 3), strict=True):
        part.add(block)
    parts[0].merge(parts[1])
    parts[0].merge(parts[2])
    merged = Rigidity.from_accumulator(parts[0], regularizer=1e-3)
    np.testing.assert_allclose(merged.lpr(rows), whole.lpr(rows), rtol=1e-11)


def test_merging_at_leaf_boundaries_gives_the_bits_of_one_pass(rows: Array) -> None:
    whole = HessianAccumulator(12)
    whole.add(rows)
    first, second = HessianAccumulator(12), HessianAccumulator(12)
    first.add(rows[: 2 * whole.leaf_rows])
    second.add(rows[2 * whole.leaf_rows :])
    first.merge(second)
    assert first.to_bytes() == whole.to_bytes()


def test_an_accumulator_goes_on_after_it_was_factorised(rows: Array) -> None:
    accumulator = HessianAccumulator(12)
    accumulator.add(rows[:400])
    before = Rigidity.from_accumulator(accumulator, regularizer=1.0)
    accumulator.add(rows[400:])
    after = Rigidity.from_accumulator(accumulator, regularizer=1.0)
    assert np.all(after.lpr(rows) > before.lpr(rows))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_rows", [5, 400, 9000])
def test_the_rest_is_what_least_squares_leaves(method: str, n_rows: int) -> None:
    rng = np.random.default_rng(2)
    rows, targets = rng.normal(size=(n_rows, 12)), rng.normal(size=n_rows)
    weights = rng.uniform(0.0, 3.0, size=n_rows) * (rng.random(n_rows) > 0.1)
    accumulator = HessianAccumulator(12, method, labelled=True)
    for block in np.array_split(np.arange(n_rows), 7):
        accumulator.add(rows[block], weights[block], targets=targets[block])
    w = np.sqrt(weights)
    solution = np.linalg.lstsq(w[:, None] * rows, w * targets, rcond=None)[0]
    expected = np.linalg.norm(w * (targets - rows @ solution))
    tolerance = 1e-12 if method == "qr" else 1e-7  # of the norm of the targets
    np.testing.assert_allclose(accumulator.rest_norm, expected, rtol=0.0, atol=tolerance * np.linalg.norm(w * targets))
    np.testing.assert_allclose(accumulator.sum_log_weights, np.log(weights[weights > 0.0]).sum(), rtol=1e-12)
    assert accumulator.n_weighted == (weights > 0.0).sum()


@pytest.mark.parametrize("method", METHODS)
def test_labelled_states_merge_and_travel_with_their_rest(method: str) -> None:
    rng = np.random.default_rng(3)
    rows, targets, weights = rng.normal(size=(3000, 12)), rng.normal(size=3000), rng.uniform(0.5, 2.0, size=3000)
    whole = HessianAccumulator(12, method, labelled=True)
    whole.add(rows, weights, targets=targets)
    cut = 4 * whole.leaf_rows if method == "qr" else 1100
    parts = [HessianAccumulator(12, method, labelled=True) for _ in range(2)]
    parts[0].add(rows[:cut], weights[:cut], targets=targets[:cut])
    parts[1].add(rows[cut:], weights[cut:], targets=targets[cut:])
    parts[0].merge(pickle.loads(pickle.dumps(parts[1])))
    if method == "qr":
        assert parts[0].to_bytes() == whole.to_bytes()
    assert parts[0].n_weighted == 3000
    np.testing.assert_allclose(parts[0].rest_norm, whole.rest_norm, rtol=1e-10)
    np.testing.assert_allclose(parts[0].sum_log_weights, whole.sum_log_weights, rtol=1e-12)


def test_rows_without_targets_have_no_rest(rows: Array) -> None:
    accumulator = HessianAccumulator(12)
    accumulator.add(rows)
    with pytest.raises(ValueError, match="rows without targets"):
        _ = accumulator.rest_norm


@pytest.mark.parametrize("method", METHODS)
def test_bad_rows_change_nothing(rows: Array, method: str) -> None:
    accumulator = HessianAccumulator(12, method)
    accumulator.add(rows)
    before = accumulator.to_bytes()
    bad = rows.copy()
    bad[700, 3] = np.nan
    with pytest.raises(ValueError, match=r"row 700 \(row 1600 of all added\) holds nan in column 3"):
        accumulator.add(bad)
    assert accumulator.to_bytes() == before


@pytest.mark.parametrize("method", METHODS)
def test_a_refused_call_changes_nothing(rows: Array, method: str) -> None:
    accumulator = HessianAccumulator(12, method)
    accumulator.add(rows[:100])
    before = accumulator.to_bytes()
    for refused in (
        lambda: accumulator.add(rows, n_threads=-1),
        lambda: accumulator.add(rows, np.ones(3)),
        lambda: accumulator.merge(accumulator, n_threads=-1),
        lambda: accumulator.merge(HessianAccumulator(13, method)),
    ):
        with pytest.raises(ValueError, match=r"\.$"):
            refused()
        assert accumulator.to_bytes() == before


def test_bytes_that_changed_anywhere_are_refused(rows: Array) -> None:
    accumulator = HessianAccumulator(12)
    accumulator.add(rows)
    good = accumulator.to_bytes()
    rng = np.random.default_rng(9)
    for position in rng.integers(len(good), size=200):
        bad = bytearray(good)
        bad[position] ^= 1 << rng.integers(8)
        with pytest.raises(ValueError, match="not an accumulator state"):
            HessianAccumulator.from_bytes(bad)


FORK_SCRIPT = """
import os, threading, time, warnings
import numpy as np
from lpr_fast import HessianAccumulator, LprError
warnings.simplefilter("ignore", DeprecationWarning)
busy, free = HessianAccumulator(300), HessianAccumulator(3)
threading.Thread(target=lambda: [busy.add(np.ones((5000, 300))) for _ in range(20)], daemon=True).start()
time.sleep(0.3)
child = os.fork()
if child == 0:
    free.add(np.ones((4, 3)))
    try:
        busy.n_rows
    except LprError as error:
        assert "forked" in str(error)
    os._exit(free.n_rows)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4
print("child came back")
"""


def test_a_fork_beside_a_busy_thread_does_not_hang() -> None:
    result = subprocess.run([sys.executable, "-c", FORK_SCRIPT], capture_output=True, text=True, timeout=60)
    assert result.stdout == "child came back\n", result.stderr


def test_a_wrong_instruction_set_loses_nothing() -> None:
    script = (
        "import os, numpy as np\n"
        "os.environ['LPR_FAST_INSTRUCTION_SET'] = 'bogus'\n"
        "from lpr_fast import HessianAccumulator, InvalidInputError\n"
        "accumulator = HessianAccumulator(80)\n"
        "try:\n"
        "    accumulator.add(np.eye(400, 80))\n"
        "except InvalidInputError as error:\n"
        "    print(error)\n"
        "del os.environ['LPR_FAST_INSTRUCTION_SET']\n"
        "accumulator.add(np.eye(400, 80))\n"
        "print(accumulator.n_rows)\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stdout.startswith("LPR_FAST_INSTRUCTION_SET is 'bogus', but this processor"), result.stderr
    assert result.stdout.endswith("\n400\n")


MEMORY_LIMIT_SCRIPT = """
import resource
import numpy as np
from lpr_fast import HessianAccumulator, LprError
accumulator = HessianAccumulator(1000)
block = np.ones((1000, 1000))
accumulator.add(block, n_threads=1)
used = 1024 * int(open("/proc/self/statm").read().split()[0]) * (resource.getpagesize() // 1024)
resource.setrlimit(resource.RLIMIT_AS, (used + 40_000_000, used + 40_000_000))
try:
    for _ in range(8):
        accumulator.add(block, n_threads=1)
except MemoryError as error:
    print("8 M^2 bytes" in str(error))
try:
    accumulator.n_rows
except LprError as error:
    print("build it again" in str(error))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space the way Linux does")
def test_an_accumulator_that_ran_out_of_memory_says_so_ever_after() -> None:
    result = subprocess.run([sys.executable, "-c", MEMORY_LIMIT_SCRIPT], capture_output=True, text=True)
    assert result.stdout == "True\nTrue\n", result.stderr


def test_threads_take_turns(rows: Array) -> None:
    accumulator = HessianAccumulator(12)
    blocks = np.array_split(rows, 30)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(accumulator.add, blocks))
    assert accumulator.n_rows == 900
    shuffled = Rigidity.from_accumulator(accumulator, regularizer=1.0).lpr(rows)
    np.testing.assert_allclose(shuffled, Rigidity.from_features(rows, regularizer=1.0).lpr(rows), rtol=1e-11)


MEMORY_SCRIPT = """
import resource, sys
import numpy as np
from lpr_fast import HessianAccumulator
accumulator = HessianAccumulator(50, sys.argv[1])
block = np.random.default_rng(0).normal(size=(1000, 50))
for _ in range(int(sys.argv[2])):
    accumulator.add(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.parametrize("method", METHODS)
def test_memory_does_not_grow_with_the_number_of_rows(method: str) -> None:
    def peak_kilobytes(n_blocks: int) -> int:
        command = [sys.executable, "-c", MEMORY_SCRIPT, method, str(n_blocks)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    few, many = peak_kilobytes(10), peak_kilobytes(200)  # 4 MB and 80 MB of rows
    assert many < few + 8000
