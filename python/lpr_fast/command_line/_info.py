"""``lpr-fast info``."""

from __future__ import annotations

import json
from pathlib import Path

from .._cpu import cpu_info
from ..atoms._load import load_model
from ..atoms.about._about import about


def info(path: Path) -> None:
    """Print the content of a model file."""
    model = load_model(path)
    version = model.provenance.get("lpr_fast_version", "?")
    print(f"model     {path}, {path.stat().st_size / 1e6:.1f} MB, by lpr_fast {version}")
    for line in about(model):
        print(line)
    instructions = cpu_info()
    print(f"processor {instructions.instruction_set} (available: {', '.join(instructions.available)})")
    if model.hypers is not None:
        print("hypers")
        print(json.dumps(model.hypers, indent=2))
