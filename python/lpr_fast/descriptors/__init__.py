"""Descriptors: features of structures."""

from .._errors import MissingPackageError

try:  # every import of this folder executes this file
    import ase  # noqa: F401
except ImportError as error:
    raise MissingPackageError(
        f"models of structures need ase ({error}); install it with: pip install 'lpr-fast[atoms]'"
    ) from error
