"""What a run has done so far, so that the same command can go on after whatever ended it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .._errors import InvalidInputError
from ..writing._spool import beside, remove_whole, write_whole

SUFFIX = ".journal"

_FORMAT = "lpr_fast journal 2"

# Changes of these are told with both values: they are short.
_SHORT = {
    *("unknown species", "on error", "least rigid", "instruction set", "shard"),
    *("regularizer", "n_active", "zeta", "loss", "energy_key", "seed"),
}


class Journal:
    """A JSON file beside the first output; it is replaced as a whole.

    Parameters
    ----------
    output : pathlib.Path
        The first output.
    settings : dict
        Whatever the output's bytes depend on, by names that a message can use.
    tag : str
        What tells the journals of shards apart.
    """

    def __init__(self, output: Path, settings: dict[str, Any], tag: str = "") -> None:
        self.path = beside(output, tag + SUFFIX)
        self._output, self._tag = output, tag
        self._settings = settings

    def read(self) -> dict[str, Any] | None:
        """What `write` was given last; None if there is no unfinished run.

        Raises
        ------
        InvalidInputError
            If the unfinished run is another one, or the file is no journal.
        """
        if not self.path.exists():
            return None
        settings, progress = stored(self.path)
        for name, now in json.loads(json.dumps(self._settings)).items():
            if settings.get(name) != now:
                raise InvalidInputError(self._another(name, settings.get(name), now))
        return progress

    def write(self, progress: dict[str, Any]) -> None:
        """Remember."""
        content = {"format": _FORMAT, "settings": self._settings, "progress": progress}
        write_whole(self.path, json.dumps(content).encode())

    def remove(self) -> None:
        """The run is over, or has not begun."""
        remove_whole(self.path)

    def _another(self, name: str, then: Any, now: Any) -> str:
        is_short = name in _SHORT or "version" in name
        values = f" ({then} then, {now} now)" if is_short else ""
        remedy = "give the same command again"
        if name == "instruction set":
            remedy = f"set LPR_FAST_INSTRUCTION_SET={then}"
        elif "version" in name:
            remedy = "install that version"
        what = str(self._output) + ".shard-*" if self._tag else "that file"
        return (
            f"the unfinished run of {self.path} was begun with another {name}{values}; {remedy}, or delete {what} to "
            "start afresh."
        )


def stored(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings and progress in a journal.

    Raises
    ------
    InvalidInputError
        If the file is none.
    """
    try:
        content = json.loads(path.read_text())
        if content["format"] != _FORMAT:
            raise ValueError(content["format"])
        return dict(content["settings"]), dict(content["progress"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInputError(
            f"{path} is no journal that this version can read; delete it to start afresh."
        ) from error
