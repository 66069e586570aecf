"""Jacobian rows of a network of 2 x 16 sigmoids, beside a hand-written vmap(jacrev): seconds, ratio, peak memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import torch
from measure import compare as print_comparison
from measure import finish, parser, peak_memory, print_machine
from torch.func import functional_call, jacrev, vmap

from lpr_fast.torch import jacobian_rows

ATOMS_PER_STRUCTURE = 64


def network(n_features: int) -> torch.nn.Sequential:
    """The network of the paper's figure 8."""
    torch.manual_seed(0)
    layers = [torch.nn.Linear(n_features, 16), torch.nn.Sigmoid(), torch.nn.Linear(16, 16), torch.nn.Sigmoid()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(16, 1)).double()


def by_hand(module: torch.nn.Module, X: torch.Tensor, batch: int) -> Callable[[], None]:
    """Rows of all atoms as one would write them down, in batches, looked at and left."""
    parameters = {name: p.detach() for name, p in module.named_parameters()}

    def predict(weights: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        predicted: torch.Tensor = functional_call(module, weights, (x,))
        return predicted.squeeze()

    def run() -> None:
        for part in torch.split(X, batch):
            blocks = vmap(jacrev(predict), in_dims=(None, 0))(parameters, part)
            torch.cat([block.flatten(start_dim=1) for block in blocks.values()], dim=1)

    return run


def exhausted(module: torch.nn.Module, X: np.ndarray, structure: np.ndarray | None = None) -> None:
    """All rows of ours, looked at and left."""
    for _ in jacobian_rows(module, X, structure):
        pass


def print_peak(n_atoms: int, n_features: int) -> None:
    """Peak memory of this process, in MB: what the features take, and with the rows of all atoms."""
    X = np.random.default_rng(0).normal(size=(n_atoms, n_features))
    before = peak_memory()
    exhausted(network(n_features), X)
    print(f"{before / 1e6:.0f} {peak_memory() / 1e6:.0f}")


def main() -> None:
    """Print seconds and memory."""
    if sys.argv[1:2] == ["--peak"]:
        print_peak(int(sys.argv[2]), int(sys.argv[3]))
        return
    options = parser(__doc__)
    options.add_argument("--atoms", type=int, default=64_000)
    options.add_argument("--features", type=int, default=325, help="D")
    given = options.parse_args()
    n_atoms, n_features = (128, 6) if given.toy else (given.atoms, given.features)
    print_machine(given.threads)
    module = network(n_features)
    X = np.random.default_rng(0).normal(size=(n_atoms, n_features))
    size = sum(p.numel() for p in module.parameters())
    print_comparison(
        f"{n_atoms} atoms, M = {size}",
        {
            "vmap(jacrev) by hand": by_hand(module, torch.from_numpy(X), max(1, 2**21 // size)),
            "rows of atoms": lambda: exhausted(module, X),
            "rows of structures": lambda: exhausted(module, X, np.arange(n_atoms) // ATOMS_PER_STRUCTURE),
        },
        given.repeats,
    )
    print(f"\n{'atoms':>16} {'features, MB':>14} {'peak memory, MB':>16}")
    for count in (n_atoms // 4, n_atoms):
        command = [sys.executable, __file__, "--peak", str(count), str(n_features)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        print(f"{count:>16} {printed[0]:>14} {printed[1]:>16}")
    finish()


if __name__ == "__main__":
    main()
