"""The progress of a run on disk, from which the same command resumes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from .._errors import InvalidInputError
from .._files import remove_whole, write_whole
from ..writing._spool import beside

SUFFIX = ".journal"

_FORMAT = "lpr_fast journal 4"

# Settings that may differ from those of the unfinished run: called with the old value and the progress.
Tolerated: TypeAlias = Mapping[str, Callable[[Any, dict[str, Any]], bool]]

# Names of settings in messages, where they differ from the name in the code.
_WORDS = {
    "outputs": "list of outputs",
    "least_rigid": "number of least rigid environments",
    "groups": "name of groups",
    "unknown_species": "treatment of unknown species",
    "on_error": "treatment of errors",
    "instruction_set": "instruction set",
    "about": "model",
    "energy_key": "name of the energies",
    "n_active": "size of the active set",
    "rows": "file for the rows",
    "weights": "source of weights",
    "sigmas": "source of standard deviations",
    "noise": "noise of the labels",
    "force_key": "name of the forces",
    "virial_key": "name of the virials",
    "group_key": "name of the groups",
    "active_set": "active set",
    "frames": "range of frames",
}

# Settings whose values are short enough for a message (versions are as well).
_SHORT = {
    *("unknown_species", "on_error", "least_rigid", "groups", "instruction_set", "shard"),
    *("regularizer", "n_active", "zeta", "loss", "energy_key", "seed"),
}

_VERSION = "version_of_"


class Journal:
    """A JSON file beside the first output; each write replaces the whole file.

    Parameters
    ----------
    output : pathlib.Path
        The first output.
    settings : dict
        Settings that determine the bytes of the output, by name.
    tag : str
        Part of the file name that identifies a shard.
    tolerated : mapping of str to callable, optional
        For settings that may change: a function of the old value and the progress, True if the run may resume.
    """

    def __init__(
        self, output: Path, settings: dict[str, Any], tag: str = "", tolerated: Tolerated | None = None
    ) -> None:
        self.path = beside(output, tag + SUFFIX)
        self._output, self._tag = output, tag
        self._settings = settings
        self._tolerated = tolerated or {}

    def read(self) -> dict[str, Any] | None:
        """The progress that was written last; None without an unfinished run.

        Raises
        ------
        InvalidInputError
            If the unfinished run has other settings, or the file is not a journal.
        """
        try:
            settings, progress = stored(self.path)
        except FileNotFoundError:
            return None
        for name, now in json.loads(json.dumps(self._settings)).items():
            then = settings.get(name)
            if then != now and not (name in self._tolerated and self._tolerated[name](then, progress)):
                raise InvalidInputError(self._other_settings(name, then, now))
        return progress

    def write(self, progress: dict[str, Any]) -> None:
        """Write the progress."""
        content = {"format": _FORMAT, "settings": self._settings, "progress": progress}
        write_whole(self.path, json.dumps(content).encode())

    def remove(self) -> None:
        """Remove the file: the run is over, or has not begun."""
        remove_whole(self.path)

    def _other_settings(self, name: str, then: Any, now: Any) -> str:
        remedy = "give the same command again"
        if name == "instruction_set":
            remedy = f"set LPR_FAST_INSTRUCTION_SET={then}"
        elif name == "input":
            remedy = "give the same, unchanged files again"
        elif name.startswith(_VERSION):
            remedy = "install that version"
        what = str(self._output) + ".shard-*" if self._tag else "that file"
        return (
            f"the unfinished run of {self.path} has another {in_words(name)}{_difference(name, then, now)}; "
            f"{remedy}, or delete {what} to start anew."
        )


def in_words(setting: str) -> str:
    """The name of a setting in messages."""
    if setting.startswith(_VERSION):
        return f"version of {setting.removeprefix(_VERSION)}"
    return _WORDS.get(setting, setting)


def of_versions(versions: Mapping[str, str]) -> dict[str, str]:
    """Versions of packages as settings."""
    return {_VERSION + name: version for name, version in versions.items()}


def _difference(name: str, then: Any, now: Any) -> str:
    """The old and the new value in brackets, if they are short."""
    if name == "input" and [_named(file) for file in then] == [_named(file) for file in now]:
        changed = next(file for before, file in zip(then, now, strict=True) if before != file)
        return f" ({changed['source']} has changed)"
    if name == "input":
        return f" ({_listed(then)} then, {_listed(now)} now)"
    return f" ({then} then, {now} now)" if name in _SHORT or name.startswith(_VERSION) else ""


def _named(file: Mapping[str, Any]) -> str:
    return f"{file['source']}{file['selection']}"


def _listed(files: list[dict[str, Any]]) -> str:
    return _named(files[0]) + (f" and {len(files) - 1} more" if len(files) > 1 else "")


def stored(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings and progress in a journal.

    Raises
    ------
    FileNotFoundError
        If there is no file.
    InvalidInputError
        If the file is not a journal.
    """
    try:
        content = json.loads(path.read_bytes())
        if content["format"] != _FORMAT:
            raise ValueError(content["format"])
        return dict(content["settings"]), dict(content["progress"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInputError(
            f"{path} is not a journal that this version can read; delete it to start anew."
        ) from error
