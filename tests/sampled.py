"""Radial integrals are sampled once for each descriptor, where this is imported: a small model is fitted in less time.

Processes that tests start, and tests/test_radial_table.py, sample anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lpr_fast.descriptors import _soap
from lpr_fast.descriptors._radial_table import RadialTable

_sampled: dict[str, RadialTable] = {}
_sample = _soap.radial_table


def radial_table(hypers: Mapping[str, Any]) -> RadialTable:
    """The table of these hypers."""
    key = json.dumps(hypers)
    if key not in _sampled:
        _sampled[key] = _sample(hypers)
    return _sampled[key]


_soap.radial_table = radial_table
