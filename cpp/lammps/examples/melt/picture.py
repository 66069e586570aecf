"""Plot the LPR over time, and the atoms of the frame in which the run stopped."""

import sys
from pathlib import Path

import ase.io
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm

THRESHOLD = 0.01
PICOSECONDS_BETWEEN_FRAMES = 0.2

frames = ase.io.read("melt.dump", ":", format="lammps-dump-text")[1:]  # the first is a perfect crystal
last = ase.io.read("last.dump", format="lammps-dump-text")
last_step = int(Path("last.dump").read_text().splitlines()[1])
rigidities = np.array([frame.arrays["c_lpr[1]"] for frame in [*frames, last]])
times = [*PICOSECONDS_BETWEEN_FRAMES * np.arange(1, len(frames) + 1), last_step / 1000]

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for values, label in ((np.median(rigidities, axis=1), "median"), (rigidities.min(axis=1), "lowest of all atoms")):
    left.semilogy(times, values, label=label, linewidth=1)
left.axhline(THRESHOLD, color="black", linestyle=":", linewidth=1, label="threshold of fix halt")
left.set(xlabel="time / ps", ylabel="LPR", title="Silicon heated from 300 K")
left.legend(frameon=False)

lpr = last.arrays["c_lpr[1]"]
order = np.argsort(-lpr)
x, y, _ = last.get_positions(wrap=True)[order].T
points = right.scatter(x, y, c=lpr[order], s=45, norm=LogNorm(vmax=1.0), cmap="viridis", edgecolors="none")
right.set(xlabel="x / \u00c5", ylabel="y / \u00c5", aspect="equal", title="The atoms when the run stopped")
figure.colorbar(points, label="LPR")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "melt.png", dpi=110)
