"""metatrain: a small PET trained on the bundled silicon, LLPR on top of it, and its uncertainty of every test atom."""

import subprocess
from importlib.metadata import version
from pathlib import Path

import ase.io
import numpy as np
import torch
from metatomic.torch import ModelOutput, systems_to_torch
from metatrain.utils.io import load_model
from metatrain.utils.neighbor_lists import get_requested_neighbor_lists, get_system_with_neighbor_lists
from numpy.typing import NDArray

DATA = """
seed: 1
training_set:
  systems: {read_from: train.xyz, length_unit: angstrom}
  targets: &targets {energy: {key: energy, unit: eV, forces: off, stress: off}}
validation_set:
  systems: {read_from: validation.xyz, length_unit: angstrom}
  targets: *targets
test_set: 0.0
"""
NETWORK = """
architecture:
  name: pet
  model: {cutoff: 4.0, d_pet: 16, d_head: 16, d_node: 16, d_feedforward: 16, num_heads: 1, num_attention_layers: 1,
          num_gnn_layers: 1}
  training: {batch_size: 6, num_epochs: 30, learning_rate: 1e-3}
"""
LLPR = """
architecture:
  name: llpr
  training: {{model_checkpoint: model.ckpt, batch_size: 4, regularizer: {}}}
"""
REGULARIZERS = (1e-3, 10.0)
FEATURES, UNCERTAINTY = "mtt::aux::energy_last_layer_features", "energy_uncertainty"


def train(options: str, output: str) -> None:
    """Run `mtt train` on this folder's files."""
    Path("options.yaml").write_text(DATA + options)
    subprocess.run(["mtt", "train", "options.yaml", "-o", output], check=True, capture_output=True)


def evaluated(model: torch.nn.Module, frames: list[ase.Atoms]) -> list[NDArray[np.float64]]:
    """Last-layer features and uncertainties of all atoms of the frames."""
    wanted = get_requested_neighbor_lists(model)
    systems = [
        get_system_with_neighbor_lists(system, wanted).to(dtype=torch.float32)
        for system in systems_to_torch(frames, dtype=torch.float32)
    ]
    outputs = {name: ModelOutput(sample_kind="atom") for name in ("energy", FEATURES, UNCERTAINTY)}
    with torch.no_grad():
        found = model(systems, outputs)
    return [found[name].block().values.numpy().astype(float) for name in (FEATURES, UNCERTAINTY)]


def main() -> None:
    """Read input.npz and write output.npz."""
    given = np.load("input.npz")
    labelled, test = (
        list(ase.io.iread(str(given[name]), index)) for name, index in (("training", ":"), ("frames", "::3"))
    )
    validation = labelled[::10]
    training = [frame for number, frame in enumerate(labelled) if number % 10]
    ase.io.write("train.xyz", training)
    ase.io.write("validation.xyz", validation)
    train(NETWORK, "model.pt")
    uncertainties, multipliers = [], []
    for regularizer in REGULARIZERS:
        train(LLPR.format(regularizer), "llpr.pt")
        model = load_model("llpr.ckpt").eval()
        features, uncertainty = evaluated(model, test)
        uncertainties.append(uncertainty[:, 0])
        multipliers += [b.item() for name, b in model.named_buffers() if name == f"multiplier_{UNCERTAINTY}"]
    np.savez(
        "output.npz",
        version=f"metatrain {version('metatrain')}, torch {torch.__version__}",
        train=evaluated(model, training)[0],
        structure=np.repeat(np.arange(len(training)), [len(frame) for frame in training]),
        test=features,
        uncertainties=uncertainties,
        multipliers=multipliers,
        regularizers=REGULARIZERS,
    )


if __name__ == "__main__":
    main()
