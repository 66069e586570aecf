"""Forces: their rigidity, errors and intervals."""
