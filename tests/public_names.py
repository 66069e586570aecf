"""What users can write down of this package: names, signatures, options, sections of files, symbols.

``make public-names`` writes them into ``public_names.txt``, which a test compares with.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import ase.io
import click
import h5py
import numpy as np

import lpr_fast
from lpr_fast import StructureModel, score_trajectory
from lpr_fast.command_line._commands import lpr_fast as command_line

from .structures import fitted, gallium_arsenide, with_committee

FILE = Path(__file__).with_suffix(".txt")
MODULES = ("lpr_fast", "lpr_fast.torch")
PACKAGE = Path(lpr_fast._core.__file__).parent


def public_names() -> str:
    """All of them, a line each, under headings."""
    parts = {
        "Python": python_names(),
        "commands": command_names(command_line, "lpr-fast"),
        "extras and entry points": metadata_names(),
        "files": file_names(),
        "C": c_names(),
        "C++": cpp_names(),
    }
    return "\n".join(f"# {title}\n" + "\n".join(lines) + "\n" for title, lines in parts.items())


def python_names() -> Iterator[str]:
    for module in MODULES:
        for name in sorted(importlib.import_module(module).__all__):
            thing = getattr(importlib.import_module(module), name)
            if inspect.isclass(thing):
                yield from class_names(f"{module}.{name}", thing)
            else:
                yield f"{module}.{name}{called(thing) if callable(thing) else ''}"


def class_names(path: str, thing: type) -> Iterator[str]:
    """The class as it is called, and what its instances have, also by inheritance from classes of ours."""
    bases = [base for base in thing.__mro__ if base.__module__.startswith("lpr_fast")]
    raised = issubclass(thing, Exception) or inspect.isabstract(thing) or getattr(thing, "_is_protocol", False)
    yield path + ("" if raised else called(thing))
    found: dict[str, str] = {}
    for base in reversed(bases):
        for name in inspect.get_annotations(base):
            found[name] = ""
        for name, member in vars(base).items():
            found[name] = signature_of(member)
    if dataclasses.is_dataclass(thing):
        found |= {field.name: "" for field in dataclasses.fields(thing)}
    yield from (f"{path}.{name}{found[name]}" for name in sorted(found) if not name.startswith("_"))


def signature_of(member: Any) -> str:
    function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
    return called(function) if inspect.isfunction(function) else ""


def called(function: Callable[..., Any]) -> str:
    """The signature, with functions among the defaults by their names: their addresses are other ones in every run."""
    return re.sub(r"<function (\w+) at \w+>", r"\1", str(inspect.signature(function)))


def command_names(command: click.Command, path: str) -> Iterator[str]:
    arguments = [part for part in command.params if isinstance(part, click.Argument)]
    yield " ".join([path, *(str(part.human_readable_name) for part in arguments)])
    options = [part for part in command.params if isinstance(part, click.Option)]
    for option in sorted(options, key=lambda option: option.opts):
        takes = "" if option.is_flag else f" {option.type.name}"
        many = " (repeated)" if option.multiple else ""
        yield f"{path} {'/'.join([*option.opts, *option.secondary_opts])}{takes}{many}"
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from command_names(command.commands[name], f"{path} {name}")


def metadata_names() -> Iterator[str]:
    package = distribution("lpr-fast")
    yield from (f"lpr-fast[{extra}]" for extra in sorted(package.metadata.get_all("Provides-Extra") or []))
    yield from sorted(f"{entry.group}: {entry.name} = {entry.value}" for entry in package.entry_points)


def file_names() -> Iterator[str]:
    """Sections of a model file, and columns of the outputs, of a run with all of the scores."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = with_committee(fitted(gallium_arsenide()).calibrate(gallium_arsenide(3, seed=50)))
        model.save(folder / "model.lpr")
        yield from model_file_names(folder / "model.lpr")
        yield from output_names(model, folder)


def model_file_names(path: Path) -> list[str]:
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    texts = header.pop("__metadata__")
    names = [f"model file: array {name}" for name in header if not name.startswith("_padding")]
    names += [f"model file: text {name}" for name in texts]
    names += [f"model file: {name}.{key}" for name, text in texts.items() if text[0] == "{" for key in json.loads(text)]
    return sorted(names)


def output_names(model: StructureModel, folder: Path) -> Iterator[str]:
    ase.io.write(folder / "md.xyz", gallium_arsenide(2, seed=60))
    outputs = [folder / f"md.{suffix}" for suffix in ("h5", "csv", "extxyz", "npz")]
    score_trajectory(model, folder / "md.xyz", outputs)
    datasets: list[str] = []
    with h5py.File(folder / "md.h5") as file:
        file.visititems(lambda name, item: datasets.append(name) if isinstance(item, h5py.Dataset) else None)
    yield from (f".h5: {name}" for name in sorted(datasets))
    yield from (f".csv: {name}" for name in (folder / "md.csv").read_text().splitlines()[0].split(","))
    (_, header, *_) = (folder / "md.extxyz").read_text().splitlines()
    yield from (f".extxyz: {name}" for name in re.findall(r"([A-Za-z_]\w*):[SIRL]:\d", header))
    with np.load(folder / "md.npz") as arrays:
        yield from (f".npz: {name}" for name in sorted(arrays))


def c_names() -> list[str]:
    """Functions of the archive that C can call, and what else the header declares."""
    command = ["nm", "--defined-only", "--format=posix", PACKAGE / "lib" / "liblpr_fast.a"]
    symbols = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    functions = set(re.findall(r"(?m)^(lpr_fast_\w+) T ", symbols))
    header = (PACKAGE / "include" / "lpr_fast" / "lpr_fast.h").read_text()
    code = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    declared = {re.sub(r"\s+", " ", one) for one in re.findall(r"(?s)\w[\w* \n]*?\blpr_fast_\w+\([^)]*\)(?=;)", code)}
    others = set(re.findall(r"\b(?:lpr_fast|LPR_FAST)_\w+\b(?!\()", code)) - {"LPR_FAST_H"}
    return sorted(functions | {one.strip() for one in declared} | others)


def cpp_names() -> list[str]:
    """Headers, and the types and macros in them."""
    folder = PACKAGE / "include" / "lpr_fast"
    pattern = r"(?m)^(?:struct|class|enum class) (\w+)(?: final)? *[{:]|^using (\w+) =|^#define (LPR_FAST_\w+)"
    found = [
        f"{path.name}: {''.join(names)}"
        for path in folder.glob("*.hpp")
        for names in re.findall(pattern, path.read_text())
    ]
    return sorted([*found, *(path.name for path in folder.iterdir() if path.is_file())])


if __name__ == "__main__":
    FILE.write_text(public_names(), encoding="utf-8")
