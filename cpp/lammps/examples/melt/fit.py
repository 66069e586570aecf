"""Fit a model of crystalline silicon to the training set of `lpr-fast demo` without its amorphous structures."""

from importlib.resources import files

import ase.io

from lpr_fast import SparseKernelModel

HYPERS = {
    "cutoff": {"radius": 5.0, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
    "density": {"type": "Gaussian", "width": 0.5},
    "basis": {"type": "TensorProduct", "max_angular": 6, "radial": {"type": "Gto", "max_radial": 7}},
}

frames = ase.io.read(str(files("lpr_fast") / "demo_data/train.xyz"), ":")
solid = [frame for frame in frames if not frame.info["config_type"].startswith("amorphous")]
model = SparseKernelModel.fit(solid, hypers=HYPERS, n_active=200, regularizer=1e-3)
model.save("silicon.lpr")
lowest = model.score(solid).lpr.min()
print(f"{len(solid)} structures; lowest LPR of an atom in them: {lowest:.3g}")
