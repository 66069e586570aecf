"""From structures to features: floors above the models, below the command line."""

from .._errors import MissingPackageError

try:  # here, because whatever is imported from this floor comes by
    import ase  # noqa: F401
except ImportError as error:
    raise MissingPackageError(
        f"models of structures need ase ({error}); install it with: pip install 'lpr-fast[atoms]'"
    ) from error
