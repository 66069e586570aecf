"""Bad input gets one sentence that says what was given, what was expected and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lpr_fast import HessianAccumulator, InvalidInputError, LprError, NotPositiveDefiniteError, Rigidity

X = np.random.default_rng(6).normal(size=(8, 3))
PSD = X.T @ X
NAN = X.copy()
NAN[5, 1] = np.nan
ASYMMETRIC = PSD + np.triu(np.ones((3, 3)), 1)


def fitted() -> Rigidity:
    return Rigidity.from_features(X, regularizer=1.0)


def features(X: Any = X, **options: Any) -> Rigidity:
    return Rigidity.from_features(X, **{"regularizer": 1.0, **options})


def kernels(K_NM: Any = X, K_MM: Any = PSD, **options: Any) -> Rigidity:
    return Rigidity.from_kernels(K_NM, K_MM, **{"regularizer": 1.0, **options})


class Opaque:
    def __array__(self, *args: Any, **options: Any) -> None:
        raise RuntimeError("on another device")


CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "no regularizer sign": (lambda: features(regularizer=-1.0), "regularizer is -1; it must be finite and positive"),
    "zero regularizer": (lambda: features(regularizer=0), "regularizer is 0; it must be finite and positive"),
    "NaN regularizer": (lambda: features(regularizer=np.nan), "regularizer is nan; it must be finite and positive"),
    "infinite regularizer": (lambda: kernels(regularizer=np.inf), "regularizer is inf"),
    "text regularizer": (lambda: features(regularizer="1"), "regularizer is '1'; it must be a real number"),
    "complex regularizer": (lambda: features(regularizer=1j), "regularizer is 1j; it must be a real number"),
    "negative regularizer of a Hessian": (
        lambda: Rigidity.from_hessian(PSD, regularizer=-1e-3),
        "regularizer is -0.001; it must be finite and not negative",
    ),
    "NaN row": (lambda: features(NAN), "row 5 holds nan in column 1; every entry must be finite"),
    "infinite row": (lambda: kernels(np.where(X[2, 0] == X, np.inf, X)), "row 2 holds inf"),
    "overflowing row": (lambda: features(X * 1e200), "whose square overflows; use smaller units or weights"),
    "one-dimensional rows": (lambda: features(X[0]), r"X has shape \(3,\); it must have two dimensions"),
    "three-dimensional rows": (lambda: features(X[None]), r"X has shape \(1, 8, 3\); it must have two dimensions"),
    "scalar rows": (lambda: features(1.0), r"X has shape \(\); it must have two dimensions"),
    "no rows": (lambda: features(X[:0]), r"X has shape \(0, 3\); it needs at least one row and one column"),
    "no columns": (lambda: kernels(X[:, :0]), r"K_NM has shape \(8, 0\); it needs at least one row and one column"),
    "an array for each structure": (
        lambda: features([np.ones((2, 3)), np.ones((4, 3))]),
        r"X is a list of 2 arrays of different lengths; give one array: np.vstack\(X\) for one row per atom, or",
    ),
    "ragged rows": (lambda: features([[1.0, 2.0], [3.0]]), "X cannot be converted to an array"),
    "complex rows": (lambda: features(X * 1j), "X has dtype complex128, which float64 cannot hold without loss"),
    "long double rows": (lambda: features(X.astype(np.longdouble)), "X has dtype .*128, which float64 cannot hold"),
    "text rows": (lambda: features([["a", "b"]]), "X has dtype <U1"),
    "object rows": (
        lambda: features(X.astype(object)),
        r"X holds objects \(ndarray\); give an array",
    ),
    "masked rows": (lambda: features(np.ma.masked_array(X, X > 0)), "X is a masked array; give a plain array"),
    "array on another device": (lambda: features(Opaque()), r"X cannot be converted to an array \(on another device\)"),
    "negative weight": (lambda: features(weights=[1, 1, -2, 1, 1, 1, 1, 1]), "weight of row 2 is -2; weights must be"),
    "NaN weight": (lambda: features(weights=[np.nan] * 8), "weight of row 0 is nan; weights must be finite"),
    "too few weights": (lambda: features(weights=[1.0, 2.0]), "got 2 weights for 8 rows; give one weight for each row"),
    "weights as a column": (lambda: features(weights=np.ones((8, 1))), r"weights has shape \(8, 1\)"),
    "unknown method": (lambda: features(method="lu"), "method is 'lu'; it must be 'qr' or 'gram'"),
    "method of another type": (lambda: features(method=None), "method is None; it must be 'qr' or 'gram'"),
    "negative threads": (lambda: features(n_threads=-2), "n_threads is -2; give a positive number, or 0"),
    "fractional threads": (lambda: fitted().lpr(X, n_threads=1.5), "n_threads is 1.5; it must be an integer"),
    "swapped kernels": (lambda: kernels(PSD[:2, :2], X), r"K_MM has shape \(8, 3\), expected \(2, 2\).*not swapped"),
    "K_MM of another size": (lambda: kernels(X, np.eye(4)), r"K_MM has shape \(4, 4\), expected \(3, 3\)"),
    "asymmetric K_MM": (lambda: kernels(K_MM=ASYMMETRIC), r"is not symmetric: entry \(1, 0\) is"),
    "NaN in K_MM": (lambda: kernels(K_MM=PSD * np.nan), r"holds NaN or infinity at \(0, 0\)"),
    "indefinite K_MM": (lambda: kernels(K_MM=-PSD), "must be positive semidefinite, but it has a negative eigenvalue"),
    "indefinite K_MM, gram": (lambda: kernels(K_MM=-9 * PSD, method="gram"), "is not positive definite in float64"),
    "zero K_MM": (lambda: kernels(K_MM=0 * PSD), "or is zero"),
    "Hessian not square": (lambda: Rigidity.from_hessian(X), r"H has shape \(8, 3\); it must be a square matrix"),
    "Hessian empty": (
        lambda: Rigidity.from_hessian(np.zeros((0, 0))),
        r"H has shape \(0, 0\); it must be a square",
    ),
    "Hessian asymmetric": (lambda: Rigidity.from_hessian(ASYMMETRIC), "the Hessian is not symmetric"),
    "Hessian infinite": (lambda: Rigidity.from_hessian(PSD + np.inf), "NaN or infinity"),
    "Hessian indefinite": (lambda: Rigidity.from_hessian(-np.eye(3)), "smallest eigenvalue is -1; a regularizer of 2"),
    "phi of another size": (lambda: fitted().lpr(X[:, :2]), "phi has 2 columns, expected 3, one for each weight"),
    "phi of three dimensions": (lambda: fitted().lpr(X[None]), r"phi has shape \(1, 8, 3\); it must have two"),
    "phi an empty list": (lambda: fitted().lpr([]), r"phi has shape \(0,\); it must have two dimensions"),
    "phi with NaN": (lambda: fitted().variance(NAN), "phi row 5 holds NaN, infinity or an entry above 1e140"),
    "phi_a of another size": (lambda: fitted().covariance(PSD[:, :1]), "phi_a has 1 columns, expected 3"),
    "phi_b with NaN": (lambda: fitted().covariance(X, NAN), "phi_b row 5 holds NaN, infinity or"),
    "no scale without regularizer": (lambda: Rigidity.from_hessian(PSD).variance(X), "the variance needs a scale"),
    "negative scale": (lambda: fitted().variance(X, scale=-1), "scale is -1.0; it must be finite and positive"),
    "NaN scale": (lambda: fitted().covariance(X, scale=np.nan), "scale is nan; it must be finite and positive"),
    "no columns to restrict to": (lambda: fitted().restrict([]), "the list of columns is empty"),
    "column out of range": (lambda: fitted().restrict([0, 3]), r"column 3 does not exist; columns must be in \[0, 3\)"),
    "negative column": (lambda: fitted().restrict([-1]), "column -1 does not exist"),
    "column twice": (lambda: fitted().restrict([1, 1]), "column 1 is given twice"),
    "mask for columns": (lambda: fitted().restrict([True, False, True]), r"give numpy.flatnonzero\(mask\)"),
    "fractional columns": (lambda: fitted().restrict([0.5]), "one-dimensional list of integers"),
    "update of another size": (lambda: fitted().updated(PSD[:, :2]), "has 2 columns, expected 3"),
    "update with NaN": (lambda: fitted().updated(NAN), "row 5 holds nan in column 1"),
    "targets without weights": (lambda: fitted().updated(X, targets=X[:, 0]), "this rigidity has no weights to update"),
    "too few targets": (lambda: features(targets=X[:, 0]).updated(X, targets=[1.0]), "got 1 target for 8 rows"),
    "NaN target": (
        lambda: features(targets=X[:, 0]).updated(X, targets=8 * [np.nan]),
        "the target of row 0 is nan",
    ),
    "built directly": (Rigidity, r"Rigidity\(\) builds nothing; use Rigidity.from_features"),
    "accumulator of size zero": (lambda: HessianAccumulator(0), "model size M is 0; it must be at least 1"),
    "accumulator of fractional size": (lambda: HessianAccumulator(2.5), "size is 2.5; it must be an integer"),
    "accumulator of textual size": (lambda: HessianAccumulator("3"), "size is '3'; it must be an integer"),
    "empty accumulator": (
        lambda: Rigidity.from_accumulator(HessianAccumulator(3), regularizer=1.0),
        "no training rows were added, so there is nothing to factorize; add at least one row",
    ),
    "no accumulator": (
        lambda: Rigidity.from_accumulator(X, regularizer=1.0),
        "accumulator is a ndarray; it must be a HessianAccumulator",
    ),
    "merging other sizes": (
        lambda: HessianAccumulator(3).merge(HessianAccumulator(4)),
        "cannot merge an accumulator of size 4 into one of size 3",
    ),
    "merging other methods": (lambda: HessianAccumulator(3).merge(HessianAccumulator(3, "gram")), "another method"),
    "merging something else": (lambda: HessianAccumulator(3).merge(X), "other is a ndarray"),
    "bytes of something else": (
        lambda: HessianAccumulator.from_bytes(b"hello"),
        "these bytes are not an accumulator state",
    ),
    "truncated bytes": (
        lambda: HessianAccumulator.from_bytes(HessianAccumulator(3).to_bytes()[:-1]),
        "these bytes are not an accumulator state: they are truncated, changed, or of another version",
    ),
    "ragged K_MM": (lambda: kernels(X, [[1, 2, 3], [1]]), "K_MM cannot be converted to an array"),
    "ragged columns": (lambda: fitted().restrict([[0], [0, 1]]), "columns cannot be converted to an array"),
    "huge columns": (lambda: fitted().restrict([2**63]), "a column is 9223372036854775808; it must be at most"),
    "huge number of threads": (
        lambda: fitted().lpr(X, n_threads=2**40),
        "n_threads is 1099511627776; it must be",
    ),
    "huge accumulator": (lambda: HessianAccumulator(2**25), "at least 1 and at most 16777216"),
    "array as regularizer": (lambda: features(regularizer=np.ones(99)), "regularizer is array.*; it must be a real"),
    "truth as scale": (lambda: fitted().variance(X, scale=np.True_), "scale is .*True.*; it must be a real number"),
    "a vector for a Hessian": (lambda: Rigidity.from_hessian(X[0]), r"H has shape \(3,\); it must be a square matrix"),
    "a zero Hessian": (lambda: Rigidity.from_hessian(0 * PSD), "any positive regularizer would suffice"),
    "phi beyond all units": (lambda: fitted().lpr(X * 1e200), "phi row 0 holds NaN, infinity or an entry above 1e140"),
    "overflowing product": (
        lambda: kernels(K_MM=PSD * 1e300, regularizer=1e300, method="gram"),
        "over- or underflow float64: .*; use units in which they are closer",
    ),
    "scales too far apart": (
        lambda: features([[1e80, 0, 0], [0, 3e-80, 1e-80], [0, 1e-80, 5e-80]], regularizer=1e-200),
        "scales differ by more than 150 orders of magnitude",
    ),
    "changed bytes": (
        lambda: HessianAccumulator.from_bytes(b"\7" + HessianAccumulator(3).to_bytes()[1:]),
        "these bytes are not an accumulator state",
    ),
    "text for bytes": (lambda: HessianAccumulator.from_bytes("hello"), "data is a str; it must be the bytes"),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_explained_in_one_sentence(name: str) -> None:
    call, pattern = CASES[name]
    with pytest.raises(ValueError, match=pattern) as error:
        call()
    assert isinstance(error.value, LprError)
    message = str(error.value)
    assert message.endswith(".")
    assert "\n" not in message


def test_errors_can_be_told_apart_and_caught_together() -> None:
    assert issubclass(InvalidInputError, LprError)
    assert issubclass(NotPositiveDefiniteError, LprError)
    with pytest.raises(NotPositiveDefiniteError):
        Rigidity.from_hessian(-np.eye(2))
    with pytest.raises(InvalidInputError):
        Rigidity.from_hessian(X)
