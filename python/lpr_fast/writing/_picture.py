"""Common parts of all pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import InvalidInputError, MissingPackageError
from .._files import refuse_output, replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: By Okabe and Ito: distinct for all common kinds of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

# Metadata that keeps the date out of files.
_NO_DATE: dict[str, dict[str, Any]] = {".png": {}, ".pdf": {"CreationDate": None}, ".svg": {"Date": None}}


def check_picture(target: Path, sources: Sequence[Path]) -> None:
    """Refuse names with other suffixes; raise if matplotlib is missing."""
    if target.suffix not in _NO_DATE:
        raise InvalidInputError(f"{target} is not a picture; give a name that ends in .png, .pdf or .svg.")
    refuse_output(target, list(sources))
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingPackageError("plots need matplotlib; install it with: pip install 'lpr-fast[cli]'") from error


@contextmanager
def panels_of(target: Path, n_panels: int) -> Iterator[tuple[Figure, list[Axes]]]:
    """Panels side by side; the picture is written at the end of the block."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "lpr_fast", "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(4.6 * n_panels, 4.2), layout="constrained")
        yield figure, list(np.atleast_1d(figure.subplots(1, n_panels)))
        with replacing(target) as file:
            figure.savefig(file, format=target.suffix[1:], dpi=150, metadata=_NO_DATE[target.suffix])
