"""How Sphinx builds the site: `make docs`."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

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
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["gallery"]  # the pages of its scripts are made in case_studies
nitpicky = True
highlight_language = "none"
nitpick_ignore_regex = [
    ("py:obj", r"energy|force|keys|virial"),  # parameters of Noise, which are found as its attributes
    ("c:identifier", r"ptrdiff_t|size_t"),
    ("cpp:identifier", r"lpr_fast|\w*State"),  # the namespace; what the library keeps behind its pointers
]

breathe_default_project = "lpr_fast"
breathe_projects = {"lpr_fast": str(ROOT / "build" / "doxygen" / "xml")}
breathe_domain_by_extension = {"h": "c", "hpp": "cpp"}

default_role = "autolink"
smartquotes_action = "qe"  # options keep their two dashes
autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "inherited-members": "Calculator, Exception, Mapping, dict, tuple",
}
autodoc_typehints = "none"  # docstrings have the types, with shapes and units
autosummary_generate = False
maximum_signature_line_length = 80
numpydoc_show_class_members = False

# Pages are made of the scripts' texts and code; the numbers and pictures are those of full-size runs.
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "case_studies",
    "filename_pattern": r"$.^",  # none is run
    "ignore_pattern": r"common\.py",
    "within_subsection_order": "ExampleTitleSortKey",
    "download_all_examples": False,
    "notebook_extensions": set(),
    "min_reported_time": 1e9,
    "show_signature": False,
    "write_computation_times": False,
    "remove_config_comments": True,
}

html_math_renderer = "mathml"  # browsers draw it themselves: nothing is downloaded
html_theme = "furo"
html_title = f"lpr_fast {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_copyright = False
html_copy_source = False


def table_of(columns: Iterable[Column]) -> str:
    """The columns of scores, as the program knows them, in Markdown."""
    rows = [f"| `{column.name}` | `{column.prefixed}` | {column.unit} | {column.text} |" for column in columns]
    return "\n".join(["| name | in extended XYZ | unit | content |", "| --- | --- | --- | --- |", *rows])


myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "substitution"]
myst_substitutions = {"columns": table_of(COLUMNS), "force_columns": table_of(FORCE_COLUMNS)}
myst_heading_anchors = 3


# Files of the tree that pages link to, and the pages that show them; paths are from docs/.
SHOWN = {
    r"\.\./cpp/lammps/README\.md": "reference/lammps.md",
    r"gallery/README\.rst": "case_studies/index.rst",
    r"gallery/(\w+)\.py": r"case_studies/\1.rst",
}


def link_to_pages(_app: Sphinx, name: str, source: list[str]) -> None:
    """Turn links to files that are shown on the site into links to their pages."""
    up = "../" * name.count("/")
    for file, page in SHOWN.items():
        source[0] = re.sub(rf"\]\({re.escape(up)}{file}(?=[)#])", rf"]({up}{page}", source[0])


def write_math(translator: HTML5Translator, node: nodes.math) -> None:
    """Write a formula in a line."""
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def write_math_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula of its own, which scrolls where it is wider than the window."""
    translator.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode


def read_headers(_app: Sphinx) -> None:
    """Read the comments of the C++ and C headers."""
    subprocess.run(["doxygen", "docs/Doxyfile"], cwd=ROOT, check=True)


def escape_bars(_app: Sphinx, _what: str, _name: str, _object: object, _options: object, lines: list[str]) -> None:
    """Let |x| in the text of docstrings be a norm, and not a substitution."""
    lines[:] = [line if "\\" in line or "``" in line else line.replace("|", "\\|") for line in lines]


def setup(app: Sphinx) -> None:
    """Add to Sphinx what this site needs."""
    app.add_lexer("lammps", TextLexer)  # Pygments has none
    app.add_html_math_renderer("mathml", (write_math, None), (write_math_block, None))
    app.connect("builder-inited", read_headers, priority=100)  # before Breathe
    app.connect("autodoc-process-docstring", escape_bars)
    app.connect("source-read", link_to_pages)
