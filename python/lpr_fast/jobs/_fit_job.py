"""What a fit leaves beside its model while it goes on, so that the same command can go on after whatever ended it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from .. import _core
from .._accumulator import HessianAccumulator
from .._errors import InvalidInputError, LprError
from .._files import publish, remove_whole, write_whole
from ..atoms._fitting import ActiveSet
from ..atoms._frames import Rereadable
from ..atoms._training_set import TrainingSet
from ..models import _safetensors
from ..writing._spool import SUFFIX, beside
from ._journal import Journal
from ._restart import Restartable
from ._row_ranges import RowNumbers
from ._tasks import common_path

# Seconds between checkpoints of the rows, and how many times longer than a checkpoint they have to be: a state can
# have hundreds of megabytes.
_BETWEEN_CHECKPOINTS = 30.0
_CHECKPOINT_SHARE = 20.0

# States of a fit in its journal: the active set is known, and rows are added; the model only lacks its name.
_ROWS, _ASSEMBLED = "rows", "assembled"


class FitJob(Restartable):
    """Journal, active set, rows so far, and the model until it has its name.

    Parameters
    ----------
    output : pathlib.Path
        The model file.
    settings : dict
        See `Journal`.
    """

    def __init__(self, output: Path, settings: dict[str, Any]) -> None:
        self._journal: Journal
        super().__init__(Journal(output, settings))
        self._output = output
        self._model = beside(output, SUFFIX)
        self._first_pass = beside(output, ".active" + SUFFIX)
        self._rows = beside(output, ".rows" + SUFFIX)
        self._accumulator: HessianAccumulator | None = None
        self._numbers: RowNumbers | None = None
        self._n_safe = 0
        self.resumed_at: int | None = None
        self._next_checkpoint = 0.0

    @property
    def is_resumed(self) -> bool:
        """Whether an earlier run has chosen the active set."""
        return self._before is not None

    @property
    def is_assembled(self) -> bool:
        """Whether an earlier run has made the model, and only `publish` is left."""
        return self._is(_ASSEMBLED)

    def keep_first_pass(self, training: TrainingSet, active_set: ActiveSet) -> None:
        """Remember what the structures are made of, and the active set."""
        active, facts = active_set
        tensors: dict[str, NDArray[Any]] = {f"active.{s}": features for s, features in active.items()}
        tensors |= {"counts": training.counts, "weights": training.weights}
        if training.energies is not None:
            tensors["energies"] = training.energies
        text = json.dumps({"species": training.species, "facts": facts})
        remove_whole(self._rows)  # of a run whose journal was deleted
        write_whole(self._first_pass, _safetensors.to_bytes(tensors, text))
        self._journal.write({"state": _ROWS})

    def first_pass(self, source: Rereadable) -> tuple[TrainingSet, ActiveSet]:
        """What was remembered; the structures come from `source` again.

        Raises
        ------
        InvalidInputError
            If the file is damaged or gone.
        """
        with self._told(self._first_pass):
            text, tensors = _core.read_parts(self._first_pass.read_bytes(), str(self._first_pass))
        facts = json.loads(text)
        species = tuple(facts["species"])
        training = TrainingSet(species, tensors["counts"], tensors["weights"], tensors.get("energies"), source)
        return training, ({s: tensors[f"active.{s}"] for s in species}, facts["facts"])

    def rows(self, size: int, numbers: RowNumbers, *, labelled: bool) -> HessianAccumulator:
        """The rows that are safe. From now on `checkpoint` is about them."""
        self._numbers = numbers
        self._accumulator = HessianAccumulator(size, labelled=labelled)
        if self._rows.exists():
            with self._told(self._rows):
                self._accumulator = HessianAccumulator.from_bytes(self._rows.read_bytes())
        self._n_safe = self._accumulator.n_rows
        self.resumed_at = numbers.n_whole(self._n_safe) if self.is_resumed else None
        self._next_checkpoint = time.monotonic() + _BETWEEN_CHECKPOINTS
        return self._accumulator

    def checkpoint_if_due(self) -> None:
        """Bring the rows to the disk, unless that was done not long ago."""
        start = time.monotonic()
        if start >= self._next_checkpoint:
            self._checkpoint()
            now = time.monotonic()
            self._next_checkpoint = now + max(_BETWEEN_CHECKPOINTS, _CHECKPOINT_SHARE * (now - start))

    def assemble(self, model: bytes) -> None:
        """Take the content of the model file."""
        write_whole(self._model, model)
        self._journal.write({"state": _ASSEMBLED})

    @contextmanager
    def refused_for_good(self) -> Iterator[None]:
        """What is refused within would be refused again: nothing is left that other arguments would be measured by."""
        try:
            yield
        except LprError:
            self._journal.remove()
            raise

    def publish(self) -> None:
        """Give the model its name, and leave nothing else."""
        publish(self._model, self._output)
        self._remove_parts()
        self._journal.remove()

    def _checkpoint(self) -> None:
        if self._accumulator is not None and self._accumulator.n_rows > self._n_safe:
            write_whole(self._rows, self._accumulator.to_bytes())
            self._n_safe = self._accumulator.n_rows

    def _remove_parts(self) -> None:
        for path in (self._rows, self._first_pass, self._model, common_path(self._output)):
            remove_whole(path)

    def _give_up(self, *, remove: bool) -> None:
        if remove:
            self._remove_parts()

    def _safe(self, kept: dict[str, Any]) -> str:  # noqa: ARG002
        self._checkpoint()
        n_structures = self._numbers.n_whole(self._n_safe) if self._numbers else 0
        return f"the active set and {n_structures} structures"

    @contextmanager
    def _told(self, path: Path) -> Iterator[None]:
        try:
            yield
        except (InvalidInputError, FileNotFoundError) as error:
            raise InvalidInputError(
                f"{path} is damaged or gone; delete {self._journal.path} to start afresh."
            ) from error
