"""How Sphinx builds the site: `make docs`."""

from __future__ import annotations

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

import lpr_fast

project = "lpr_fast"
author = "the authors of lpr_fast"
project_copyright = author
version = release = lpr_fast.__version__

extensions = [
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

html_theme = "furo"
html_title = f"lpr_fast {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_copyright = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3


# Files of the tree that pages link to, and the pages that show them.
SHOWN = {"../../cpp/lammps/README.md": "../reference/lammps.md"}


def link_to_pages(_app: Sphinx, _name: str, source: list[str]) -> None:
    """Turn links to files that are shown on the site into links to their pages."""
    for file, page in SHOWN.items():
        source[0] = source[0].replace(f"]({file})", f"]({page})")


def setup(app: Sphinx) -> None:
    """Name what Pygments has no colours for."""
    app.add_lexer("lammps", TextLexer)
    app.connect("source-read", link_to_pages)
