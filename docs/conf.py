"""How Sphinx builds the site: `make docs`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

import lpr_fast
from lpr_fast.models._columns import COLUMNS, FORCE_COLUMNS, Column

ROOT = Path(__file__).parents[1]

project = "lpr_fast"
author = "the authors of lpr_fast"
project_copyright = author
version = release = lpr_fast.__version__

extensions = [
    "breathe",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns: list[str] = []
nitpicky = True
nitpick_ignore_regex = [
    ("c:identifier", r"ptrdiff_t|size_t"),
    ("cpp:identifier", r"lpr_fast|\w*State"),  # the namespace; what the library keeps behind its pointers
]

breathe_default_project = "lpr_fast"
breathe_projects = {"lpr_fast": str(ROOT / "build" / "doxygen" / "xml")}
breathe_domain_by_extension = {"h": "c", "hpp": "cpp"}

default_role = "autolink"
autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "inherited-members": "Calculator, Exception, Mapping, dict, tuple",
}
autodoc_typehints = "none"  # docstrings have the types, with shapes and units
autosummary_generate = False
maximum_signature_line_length = 80
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"lpr_fast {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_copyright = False


def table_of(columns: Iterable[Column]) -> str:
    """The columns of scores, as the program knows them, in Markdown."""
    rows = [f"| `{column.name}` | `{column.prefixed}` | {column.unit} | {column.text} |" for column in columns]
    return "\n".join(["| name | in extended XYZ | unit | content |", "| --- | --- | --- | --- |", *rows])


myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "substitution"]
myst_substitutions = {"columns": table_of(COLUMNS), "force_columns": table_of(FORCE_COLUMNS)}
myst_heading_anchors = 3


# Files of the tree that pages link to, and the pages that show them.
SHOWN = {"../../cpp/lammps/README.md": "../reference/lammps.md"}


def link_to_pages(_app: Sphinx, _name: str, source: list[str]) -> None:
    """Turn links to files that are shown on the site into links to their pages."""
    for file, page in SHOWN.items():
        source[0] = source[0].replace(f"]({file})", f"]({page})")


def read_headers(_app: Sphinx) -> None:
    """Read the comments of the C++ and C headers."""
    subprocess.run(["doxygen", "docs/Doxyfile"], cwd=ROOT, check=True)


def setup(app: Sphinx) -> None:
    """Name what Pygments has no colours for."""
    app.add_lexer("lammps", TextLexer)
    app.connect("builder-inited", read_headers, priority=100)  # before Breathe
    app.connect("source-read", link_to_pages)
