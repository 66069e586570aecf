"""What the tests share: radial integrals are sampled once."""

from tests import sampled  # noqa: F401
