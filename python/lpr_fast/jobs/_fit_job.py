"""Files of an unfinished fit, from which the same command resumes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .. import _core
from .._errors import InvalidInputError, LprError
from .._files import publish, remove_whole, write_whole
from .._words import counted
from ..atoms._frames import Rereadable
from ..atoms.labels._training_set import TrainingSet
from ..models import _archive, _safetensors
from ..models._basis import Basis, basis_from_parts, basis_to_parts
from ..models._fit import sums_of
from ..models._problem import Problem
from ..models._reference import Reference
from ..models._regularizer import needs_rows
from ..models._row_sums import RowSums
from ..models._rows import Rows
from ..models._rows_file import Head, RowsWriter
from ..models._structures import Structures
from ..writing._spool import SUFFIX, beside
from ._journal import Journal
from ._restart import Restartable
from ._tasks import common_path

# Smallest time between checkpoints in seconds, and in durations of a checkpoint: one of the rows can have hundreds of
# megabytes.
_BETWEEN_CHECKPOINTS = 30.0
_CHECKPOINT_SHARE = 20.0

# States of a fit: the active set is known, and rows are added; the model is solved, and training environments are
# scored; the model is complete and needs to be renamed.
_ROWS, _SOLVED, _ASSEMBLED = "rows", "solved", "assembled"


class FitJob(Restartable):
    """Journal, active set, rows, model, and scores of the training environments, as far as they are done.

    Parameters
    ----------
    output : pathlib.Path
        The model file.
    kept_rows : pathlib.Path or None
        File to keep the rows in.
    settings : dict
        See `Journal`.
    """

    def __init__(self, output: Path, kept_rows: Path | None, settings: dict[str, Any]) -> None:
        self._journal: Journal
        super().__init__(Journal(output, settings))
        self._output = output
        self._kept_rows = kept_rows
        self._model = beside(output, SUFFIX)
        self._first_pass = beside(output, ".active" + SUFFIX)
        self._sum = beside(output, ".rows" + SUFFIX)
        # The choice of the regularizer needs the rows, even if they are not kept.
        self._rows = beside(output, ".kept" + SUFFIX) if kept_rows is None else beside(kept_rows, SUFFIX)
        self._sums: RowSums | None = None
        self._solved = beside(output, ".solved" + SUFFIX)
        self._scored = beside(output, ".scored" + SUFFIX)
        self._writer: RowsWriter | None = None
        self._n_safe_rows = 0
        self._n_rows = 0
        self._n_structures = self._n_safe_structures = 0
        self._is_whole = True
        self.resumed_at: int | None = None
        self.reference = Reference()
        self._n_scored = 0
        self._next_checkpoint = 0.0

    @property
    def is_resumed(self) -> bool:
        """Whether an earlier run has chosen the active set."""
        return self._before is not None

    @property
    def is_assembled(self) -> bool:
        """Whether an earlier run has made the model, so that only `publish` is left."""
        return self._is(_ASSEMBLED)

    @property
    def is_solved(self) -> bool:
        """Whether an earlier run has solved the model, so that only the scores of training environments are left."""
        return self._is(_SOLVED)

    def keep_first_pass(self, structures: Structures, basis: Basis, further: Mapping[str, Any]) -> None:
        """Write the facts of the structures, and the active set."""
        facts, arrays = structures.to_parts()
        of_basis, active = basis_to_parts(basis)
        text = json.dumps({"structures": facts, "basis": of_basis, "further": dict(further)})
        remove_whole(self._sum)  # of a run whose journal was deleted
        write_whole(self._first_pass, _safetensors.to_bytes({**arrays, **active}, text))
        self._journal.write({"state": _ROWS})

    def first_pass(self, source: Rereadable) -> tuple[TrainingSet, Basis, dict[str, Any]]:
        """What `keep_first_pass` wrote; the structures come from `source` again.

        Raises
        ------
        InvalidInputError
            If the file is damaged or gone.
        """
        with self._reading(self._first_pass):
            text, arrays = _core.read_parts(self._first_pass.read_bytes(), str(self._first_pass))
        facts = json.loads(text)
        structures = Structures.from_parts(facts["structures"], arrays)
        return TrainingSet(structures, source), basis_from_parts(facts["basis"], arrays), facts["further"]

    def rows(self, problem: Problem, basis: Basis, further: Mapping[str, Any]) -> tuple[RowSums, int]:
        """The sums of rows on disk, and the first structure without rows among them; `keep` adds all later rows."""
        self._sums = sums_of(basis, problem.facts)
        if self._sum.exists():
            with self._reading(self._sum):
                self._sums = RowSums.from_bytes(self._sum.read_bytes(), str(self._sum))
        self._n_rows = self._n_safe_rows = self._sums.n_rows
        self._n_structures = self._n_safe_structures = problem.structures.owner_of_row(self._n_safe_rows)
        if self._kept_rows is not None or needs_rows(problem.settings, problem.facts):
            head = Head(basis, problem.settings, problem.facts.with_provenance(further))
            self._writer = RowsWriter(self._rows, head.to_bytes(), head.record)
            self._writer.begin(self._n_safe_rows)
        self.resumed_at = self._n_structures if self.is_resumed else None
        self._next_checkpoint = time.monotonic() + _BETWEEN_CHECKPOINTS
        return self._sums, self._n_structures

    def keep(self, rows: Rows) -> None:
        """Take rows that were added; make a checkpoint if it is due."""
        if self._writer is not None:
            self._writer.write(rows)
        self._n_structures, self._n_rows = rows.reached, self._n_rows + len(rows)
        self._is_whole = rows.are_whole
        self._checkpoint_if_due(self._checkpoint_rows)

    def blocks(self) -> Iterator[Rows]:
        """All rows, if they are on disk."""
        if self._writer is not None:
            yield from self._writer.blocks()

    def solve(self, model: _core.Model) -> None:
        """Write the solved model, which still lacks the scores of training environments, and close the file of rows."""
        if self._writer is not None:
            self._writer.sync()
            self._writer.close()
        remove_whole(self._scored)  # of a run whose journal was deleted
        write_whole(self._solved, _archive.to_bytes(model))
        self._journal.write({"state": _SOLVED})
        self._sums = None

    def to_score(self, problem: Problem) -> tuple[_core.Model, int]:
        """The solved model, and the first structure that is not in `reference`; `count` adds it and all later ones."""
        with self._reading(self._solved):
            model = _core.Model.from_bytes(self._solved.read_bytes(), str(self._solved))
        if self._scored.exists():
            with self._reading(self._scored):
                text, arrays = _core.read_parts(self._scored.read_bytes(), str(self._scored))
            self.reference, self._n_scored = Reference.from_arrays(arrays), json.loads(text)["n_structures"]
        if self.is_solved:
            self.resumed_at = len(problem.structures)
        return model, self._n_scored

    def count(self, part: Reference, n_structures: int) -> None:
        """Take the scores of environments, up to structure `n_structures`; make a checkpoint if it is due."""
        self.reference.merge(part)
        self._n_scored = n_structures
        self._checkpoint_if_due(self._checkpoint_scored)

    def assemble(self, model: _core.Model) -> None:
        """Write the complete model."""
        write_whole(self._model, _archive.to_bytes(model))
        self._journal.write({"state": _ASSEMBLED})

    @contextmanager
    def refused_for_good(self) -> Iterator[None]:
        """Remove the journal if the block refuses its arguments: the same command would fail again."""
        try:
            yield
        except LprError:
            self._journal.remove()
            raise

    def publish(self) -> None:
        """Give the model its name, and remove all other files."""
        if self._kept_rows is not None:
            publish(self._rows, self._kept_rows)
        publish(self._model, self._output)
        self._remove_parts()
        self._journal.remove()

    def _checkpoint_if_due(self, checkpoint: Callable[[], None]) -> None:
        start = time.monotonic()
        if start >= self._next_checkpoint:
            checkpoint()
            now = time.monotonic()
            self._next_checkpoint = now + max(_BETWEEN_CHECKPOINTS, _CHECKPOINT_SHARE * (now - start))

    def _checkpoint_scored(self) -> None:
        text = json.dumps({"n_structures": self._n_scored})
        write_whole(self._scored, _safetensors.to_bytes(self.reference.to_arrays(), text))

    def _checkpoint_rows(self) -> None:
        # An interrupt may come between adding rows and counting them, or within the rows of a structure.
        is_safe = self._is_whole and self._sums is not None and self._sums.n_rows == self._n_rows
        if self._sums is not None and is_safe and self._n_rows > self._n_safe_rows:
            if self._writer is not None:
                self._writer.sync()
            write_whole(self._sum, self._sums.to_bytes())
            self._n_safe_rows, self._n_safe_structures = self._n_rows, self._n_structures

    def close(self) -> None:
        """Close the file of rows; rows that cannot be written any more are not needed."""
        if self._writer is not None:
            with suppress(OSError):
                self._writer.close()

    def _remove_parts(self) -> None:
        parts = (self._sum, self._first_pass, self._solved, self._scored, self._model, self._rows)
        for path in (*parts, common_path(self._output)):
            remove_whole(path)

    def _give_up(self, *, remove: bool) -> None:
        if remove:
            self.close()
            self._remove_parts()

    def _safe(self, kept: dict[str, Any]) -> str:
        if kept["state"] != _ROWS:
            return "all rows and the model"
        self._checkpoint_rows()
        self.close()
        return f"the active set and {counted(self._n_safe_structures, 'structure')}"

    @contextmanager
    def _reading(self, path: Path) -> Iterator[None]:
        try:
            yield
        except (InvalidInputError, FileNotFoundError) as error:
            raise InvalidInputError(
                f"{path} is damaged or missing; delete {self._journal.path} to start anew."
            ) from error
