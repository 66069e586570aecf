"""What the package and one of its extras need, a requirement on each line: ``python tools/requirements.py dev``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OURSELVES = re.compile(r"lpr-fast\[(.+)\]")


def requirements(project: dict[str, Any], extra: str) -> Iterator[str]:
    """Those of the extra, and of the extras that it names."""
    for requirement in project["optional-dependencies"][extra]:
        if named := OURSELVES.fullmatch(requirement):
            for other in named[1].split(","):
                yield from requirements(project, other)
        else:
            yield requirement


if __name__ == "__main__":
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    print("\n".join(dict.fromkeys([*project["dependencies"], *requirements(project, sys.argv[1])])))
