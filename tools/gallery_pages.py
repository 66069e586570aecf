"""Put what `make gallery` found into the pages of docs/gallery: the recipe, the printed numbers, the picture.

`python tools/gallery_pages.py [FOLDER]`
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

GALLERY = Path(__file__).resolve().parents[1] / "docs" / "gallery"


def recipe_of(script: Path) -> str:
    """The function that a reader copies."""
    match = re.search(r"^def recipe\(.*?(?=\n\n\n)", script.read_text(), re.DOTALL | re.MULTILINE)
    assert match is not None, script
    return match[0]


def main() -> None:
    """Change the pages of all case studies that have been run."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "gallery")
    for text in sorted(folder.glob("*.txt")):
        page, script = (GALLERY / f"{text.stem}.{suffix}" for suffix in ("md", "py"))
        found = page.read_text()
        for pattern, block in (
            (r"^def recipe\(.*?(?=\n```)", recipe_of(script)),
            (rf"^\$ python docs/gallery/{text.stem}\.py.*?(?=\n```)", text.read_text().rstrip()),
        ):
            found, n = re.subn(pattern, lambda _, new=block: new, found, flags=re.DOTALL | re.MULTILINE)  # type: ignore[misc]
            assert n == 1, f"{page} has {n} blocks like {pattern}"
        page.write_text(found)
        shutil.copy(text.with_suffix(".png"), GALLERY)
        print(f"changed {page.name} and its picture; read what it says of the numbers")


if __name__ == "__main__":
    main()
