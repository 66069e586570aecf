"""Rigidity of local predictions in atomistic machine learning.

The local prediction rigidity of environment i is LPR_i = 1 / (phi_i^T H^-1 phi_i), with phi_i the derivative of the
local prediction with respect to the model's weights and H the Hessian of the training loss. Large: the training data
determine this prediction. Small: do not interpret it. See S. Chong et al., J. Chem. Theory Comput. 2023, 19, 8020.
"""

from typing import TYPE_CHECKING, Any

from ._accumulator import HessianAccumulator
from ._core import __version__
from ._cpu import CpuInfo, cpu_info
from ._errors import InvalidInputError, LprError, LprWarning, MissingPackageError, NotPositiveDefiniteError
from ._progress import ProgressLine
from ._rigidity import Rigidity
from ._trigger import Trigger
from .atoms._committee import Committee
from .atoms._linear_model import LinearModel
from .atoms._load import load_model
from .atoms._model import StructureModel
from .atoms._pipeline import Scores
from .atoms._sparse_kernel_model import SparseKernelModel
from .atoms.labels._noise import FrameNoise, Noise
from .atoms.predictions._predictions import Prediction
from .atoms.predictions._rigidity_gradient import RigidityGradient
from .atoms.rows._influence import Influence, LeftOutLabels, Redundant
from .atoms.rows._training_rows import TrainingRows
from .atoms.sums._group_scores import GroupScores
from .comparing._comparison import Comparison, compare
from .design._suggest import suggest
from .design._suggestion import Choice, Suggestion
from .design._what_if import WhatIf, what_if
from .gap._command import GapFit, read_gap_fit
from .jobs._fit_files import fit_files
from .jobs._job import Run
from .jobs._run import score_trajectory
from .jobs._scoring import RunProgress
from .jobs._shards import merge_shards
from .models._leave_one_out import LeaveOneOut
from .models._left_out import LearningCurve, LeftOutGroups
from .models._regularizer import RegularizerChoice
from .models._scores import LocalScores
from .writing._plots import plot_scores

if TYPE_CHECKING:
    from .descriptors._descriptor import Descriptor
    from .design._prototypes import prototypes
    from .design._single_environment import single_environment
    from .engines._ase import LprCalculator, LprObserver
    from .engines._biased import BiasedCalculator
    from .engines._model_calculator import ModelCalculator
    from .writing._environment_map import EnvironmentMap, environment_map
    from .writing._summary import RunSummary

__all__ = [
    "BiasedCalculator",
    "Choice",
    "Committee",
    "Comparison",
    "CpuInfo",
    "Descriptor",
    "EnvironmentMap",
    "FrameNoise",
    "GapFit",
    "GroupScores",
    "HessianAccumulator",
    "Influence",
    "InvalidInputError",
    "LearningCurve",
    "LeaveOneOut",
    "LeftOutGroups",
    "LeftOutLabels",
    "LinearModel",
    "LocalScores",
    "LprCalculator",
    "LprError",
    "LprObserver",
    "LprWarning",
    "MissingPackageError",
    "ModelCalculator",
    "Noise",
    "NotPositiveDefiniteError",
    "Prediction",
    "ProgressLine",
    "Redundant",
    "RegularizerChoice",
    "Rigidity",
    "RigidityGradient",
    "Run",
    "RunProgress",
    "RunSummary",
    "Scores",
    "SparseKernelModel",
    "StructureModel",
    "Suggestion",
    "TrainingRows",
    "Trigger",
    "WhatIf",
    "__version__",
    "compare",
    "cpu_info",
    "environment_map",
    "fit_files",
    "load_model",
    "merge_shards",
    "plot_scores",
    "prototypes",
    "read_gap_fit",
    "score_trajectory",
    "single_environment",
    "suggest",
    "what_if",
]


# Names whose modules import ASE: they are imported when they are first used, so that ``import lpr_fast`` stays light.
_LAZY = {
    "BiasedCalculator": ".engines._biased",
    "Descriptor": ".descriptors._descriptor",
    "LprCalculator": ".engines._ase",
    "LprObserver": ".engines._ase",
    "ModelCalculator": ".engines._model_calculator",
    "EnvironmentMap": ".writing._environment_map",
    "RunSummary": ".writing._summary",
    "environment_map": ".writing._environment_map",
    "prototypes": ".design._prototypes",
    "single_environment": ".design._single_environment",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name], __name__), name)


def __dir__() -> list[str]:
    """Public names only, for tab completion."""
    return __all__
