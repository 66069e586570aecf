"""Make docs/guides/chemiscope.png: what chemiscope shows of the demo's trajectory, in a browser without a screen.

python tools/chemiscope_picture.py [OUTPUT.png]    (pip install '.[all]'; Debian: apt-get install chromium)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

import ase.io
import chemiscope

from lpr_fast import SparseKernelModel, score_trajectory
from lpr_fast.command_line._demo import _N_ACTIVE, _REGULARIZER
from lpr_fast.descriptors._soap_hypers import soap_hypers

OUTPUT = Path(__file__).parents[1] / "docs" / "guides" / "chemiscope.png"
WIDTH, HEIGHT = 1200, 580
SECONDS = 30  # that the page may believe to have passed

PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>loading</title>
<style>
  body {{ margin: 0; background: white; overflow: hidden; }}
  #map, #right {{ position: absolute; top: 4px; height: 570px; }}
  #map {{ left: 4px; width: 740px; }}
  #right {{ right: 6px; width: 440px; }}
  #structure {{ height: 450px; }}
  #meta {{ display: none; }}
</style>
<script src="{library}"></script></head>
<body><div id="meta"></div><div id="map"></div>
<div id="right"><div id="structure"></div><div id="info"></div></div>
<script>
  const parts = {{ meta: "meta", map: "map", structure: "structure", info: "info" }};
  Chemiscope.DefaultVisualizer.load(parts, {dataset}, new Chemiscope.Warnings())
    .then(() => {{ document.title = "loaded"; }})
    .catch((error) => {{ document.body.innerText = String(error); }});
</script></body></html>
"""


def dataset(folder: Path) -> str:
    """The demo's trajectory, scored by the demo's model, as chemiscope reads it."""
    data = Path(str(resources.files("lpr_fast") / "demo_data"))
    training = ase.io.read(data / "train.xyz", ":")
    model = SparseKernelModel.fit(
        training, hypers=soap_hypers(), n_active=_N_ACTIVE, regularizer=_REGULARIZER, zeta=4, loss="total"
    )
    score_trajectory(model, data / "trajectory.xyz", [folder / "melt.chemiscope.json"])
    return (folder / "melt.chemiscope.json").read_text()


def shown(dataset: str, *arguments: str) -> str:
    """What a browser without a screen, told what to do with the page, prints of a data set."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        raise FileNotFoundError("no chromium is installed (Debian: apt-get install chromium).")
    library = Path(chemiscope.__file__).parent / "sphinx" / "static" / "chemiscope.min.js"
    with tempfile.TemporaryDirectory() as name:
        page = Path(name) / "page.html"
        page.write_text(PAGE.format(library=library.as_uri(), dataset=dataset))
        command = [browser, "--headless=new", "--enable-unsafe-swiftshader", "--hide-scrollbars"]
        command += ["--no-sandbox"] if os.geteuid() == 0 else []
        command += [f"--user-data-dir={name}/profile", f"--window-size={WIDTH},{HEIGHT}"]
        command += [f"--virtual-time-budget={SECONDS * 1000}", *arguments, page.as_uri()]
        return subprocess.run(command, check=True, timeout=300, capture_output=True, text=True).stdout


def main() -> int:
    """Draw, and say where."""
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT
    with tempfile.TemporaryDirectory() as folder:
        data = dataset(Path(folder))
    try:
        shown(data, f"--screenshot={output.resolve()}")
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{output}: {output.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
