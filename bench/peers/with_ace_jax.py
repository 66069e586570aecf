"""ace-jax: a linear ACE of the bundled silicon, noise and prior from the evidence; its rows, prior and posterior."""

import json
import subprocess
from importlib.metadata import version
from pathlib import Path

import ase.io
import jax
import numpy as np
from ace_jax.eval import site_descriptors
from ace_jax.fit.hypers import Hypers
from ace_jax.fit.pipeline import FitConfig, load_fit_data
from ace_jax.fit.pipeline.problem import build_problem
from ace_jax.fit.solve import posterior_qr, stacked_design
from jax.scipy.linalg import solve_triangular

FIT = "aj fit --order 2 --max-degree 6 --elements Si --rcut 5.0 --energy-key energy --e0 prefit --out fit --train"


def main() -> None:
    """Read input.npz and write output.npz."""
    given = np.load("input.npz")
    training = str(given["training"])
    subprocess.run([*FIT.split(), training], check=True, capture_output=True)
    settings = FitConfig(model="fit/model.npz", arm="linear", energy_key="energy", e0="prefit", r0=None)
    data = load_fit_data(settings, train=training)
    problem = build_problem(settings, data).prob
    theta = Hypers(**json.loads(Path("fit/theta_map.json").read_text()))
    rows = np.asarray(stacked_design(problem, data.ds_train, theta)[0])
    phi = np.concatenate(
        [
            site_descriptors(settings.model, frame.positions, frame.numbers, frame.cell.array, frame.pbc)
            for frame in ase.io.iread(str(given["frames"]), "::3")
        ]
    )
    whitened = solve_triangular(posterior_qr(problem, data.ds_train, theta)[1], phi.T, lower=True)
    n_features = phi.shape[1]
    np.savez(
        "output.npz",
        version=f"ace-jax {version('ace-jax')}, jax {jax.__version__}",
        rows=rows[:-n_features][np.any(rows[:-n_features] != 0, axis=1)],
        prior=np.square(rows[-n_features:]),
        test=phi,
        variance=np.square(np.asarray(whitened)).sum(axis=0),
    )


if __name__ == "__main__":
    main()
