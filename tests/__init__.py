"""The test suite; `tests.oracle` holds the independent answers."""
