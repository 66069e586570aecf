"""Rigidity of the local predictions of neural networks: torch modules that predict each atom separately."""

from .._errors import MissingPackageError

try:  # every import of this folder executes this file
    import torch  # noqa: F401
except ImportError as error:
    raise MissingPackageError(
        f"rigidities of networks need torch ({error}); install it with: pip install 'lpr-fast[torch]'"
    ) from error

from ._convergence import Convergence
from ._loss import SquaredLoss
from ._rigidity import NetworkRigidity, jacobian_rows, network_rigidity
from ._train import train

__all__ = ["Convergence", "NetworkRigidity", "SquaredLoss", "jacobian_rows", "network_rigidity", "train"]
