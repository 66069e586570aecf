"""Links of the pages resolve, the reference has every public name, and built pages fit into windows and telephones."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import lpr_fast
import lpr_fast.torch

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SITE = ROOT / "build" / "docs"
PAGES = [*ROOT.glob("*.md"), *sorted(DOCS.rglob("*.md")), ROOT / "cpp" / "lammps" / "README.md"]
BLOCK = re.compile(r"^( *)(`{3,})[^`\n]*\n.*?^ *\2$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")


def text_of(page: Path) -> str:
    """A page without its blocks of code and without code in lines."""
    return re.sub(r"`[^`\n]*`", "code", BLOCK.sub("", page.read_text()))


def links_of(page: Path) -> Iterator[str]:
    for _, _, target in LINK.findall(text_of(page)):
        yield target


def anchors_of(page: Path) -> set[str]:
    """What GitHub, and MyST, call the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", page.read_text()), re.MULTILINE)
    words = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in words}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_of_the_page_resolves(page: Path) -> None:
    for link in links_of(page):
        parts = urlsplit(link)
        if parts.scheme:
            assert parts.scheme == "https", link
            assert re.fullmatch(r"[\w-]+(\.[\w-]+)+", parts.netloc), link
            continue
        target = (page.parent / parts.path).resolve() if parts.path else page
        assert target.exists(), link
        assert not parts.fragment or parts.fragment in anchors_of(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_picture_of_the_page_says_what_it_shows(page: Path) -> None:
    assert all(text.strip() for mark, text, _ in LINK.findall(text_of(page)) if mark)


def test_the_reference_has_every_public_name_of_python_once() -> None:
    pages = "".join(path.read_text() for path in (DOCS / "reference" / "python").glob("*.md"))
    names = [*lpr_fast.__all__, *lpr_fast.torch.__all__]
    names.remove("__version__")
    assert sorted(re.findall(r"^\.\. auto(?:class|exception|function):: (\w+)$", pages, re.MULTILINE)) == sorted(names)


def test_the_reference_has_every_public_type_and_function_of_cpp_and_c() -> None:
    pages = "".join((DOCS / "reference" / name).read_text() for name in ("cpp.md", "c.md"))
    shown = set(re.findall(r"^```\{doxygen\w+\} (?:lpr_fast::)?(\w+)$", pages, re.MULTILINE))
    public = set()
    for header in (ROOT / "cpp" / "include" / "lpr_fast").glob("*.h*"):
        text = re.sub(r"namespace detail \{.*?\}  // namespace detail", "", header.read_text(), flags=re.DOTALL)
        public |= set(re.findall(r"^(?:class|struct|enum class) (\w+)(?: :[^{;]*)? \{", text, re.MULTILINE))
        public |= set(re.findall(r"^\} (\w+);", text, re.MULTILINE))
        public |= set(re.findall(r"^(?!inline|using|typedef|static|}|#|/| )[\w:<> *]+?(\w+)\(", text, re.MULTILINE))
    assert public - shown == set()


# The built site


def widths_needed(pages: list[str], width: int, folder: Path) -> dict[str, float]:
    """Where the rightmost element of each page ends, in pixels; what is in an element that scrolls is not counted."""
    frames = "".join(f'<iframe src="file://{SITE}/{page}" width="{width}" height="800"></iframe>' for page in pages)
    script = """
    function scrolls(element) {
      const style = element.ownerDocument.defaultView.getComputedStyle(element);
      return element.tagName != "ARTICLE" && (style.overflowX == "auto" || scrolls(element.parentElement));
    }
    function end(page) {
      const free = [...page.querySelectorAll("article *")].filter(element => !scrolls(element.parentElement));
      return Math.max(page.documentElement.scrollWidth, ...free.map(element => element.getBoundingClientRect().right));
    }
    window.onload = () => {
      const frames = [...document.querySelectorAll("iframe")];
      document.title = JSON.stringify(frames.map(frame => end(frame.contentDocument)));
    };
    """
    (folder / "frames.html").write_text(f"<title>none</title>{frames}<script>{script}</script>")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
    command += [f"--user-data-dir={folder / 'browser'}", "--virtual-time-budget=20000", "--dump-dom"]
    done = subprocess.run([*command, folder / "frames.html"], capture_output=True, text=True, timeout=300, check=True)
    title = re.search("<title>(.*?)</title>", done.stdout)
    assert title
    return dict(zip(pages, json.loads(title[1]), strict=True))


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed (apt-get install chromium)")
@pytest.mark.skipif(not (SITE / "index.html").exists(), reason="the site is not built (make docs)")
@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_of_the_built_site_is_wider_than_the_window(width: int, tmp_path: Path) -> None:
    pages = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html") if "_static" not in path.parts)
    assert {"index.html", "case_studies/toy.html", "reference/formats.html"} <= set(pages)
    wide = {page: needed for page, needed in widths_needed(pages, width, tmp_path).items() if needed > width}
    assert wide == {}
