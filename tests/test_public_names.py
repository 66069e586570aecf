"""Names that users write down do not change unnoticed."""

from __future__ import annotations

import difflib

from .public_names import FILE, public_names


def test_public_names_change_only_together_with_their_list() -> None:
    listed, found = FILE.read_text(encoding="utf-8"), public_names()
    changes = difflib.unified_diff(listed.splitlines(), found.splitlines(), "listed", "found", n=0, lineterm="")
    assert found == listed, "\n".join(
        ["Public names have changed. If that is meant, say so in CHANGELOG.md and run `make public-names`:", *changes]
    )
