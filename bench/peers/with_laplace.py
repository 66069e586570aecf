"""laplace-torch's variance of a linear model (GLM predictive), for each structure of the Hessian that it offers."""

from importlib.metadata import version
from time import perf_counter

import numpy as np
import torch
from laplace import Laplace
from torch.utils.data import DataLoader, TensorDataset

STRUCTURES = ("full", "kron", "diag")


def main() -> None:
    """Read input.npz and write output.npz."""
    torch.set_default_dtype(torch.float64)
    given = {name: torch.from_numpy(array) for name, array in np.load("input.npz").items()}
    loader = DataLoader(TensorDataset(given["rows"], given["targets"][:, None]), batch_size=len(given["rows"]))
    variances, seconds = [], []
    for structure in STRUCTURES:
        torch.manual_seed(0)
        model = torch.nn.Linear(given["rows"].shape[1], 1, bias=False)
        for _ in range(int(given["repeats"])):
            start = perf_counter()
            approximation = Laplace(
                model,
                "regression",
                subset_of_weights="all",
                hessian_structure=structure,
                prior_precision=float(given["regularizer"]),
            )
            approximation.fit(loader)
            _, variance = approximation(given["test"], pred_type="glm")
            seconds.append(perf_counter() - start)
        variances.append(variance.flatten().detach().numpy())
    np.savez(
        "output.npz",
        version=f"laplace-torch {version('laplace-torch')}, torch {torch.__version__}",
        structures=STRUCTURES,
        variances=variances,
        seconds=np.reshape(seconds, (len(STRUCTURES), -1)),
    )


if __name__ == "__main__":
    main()
