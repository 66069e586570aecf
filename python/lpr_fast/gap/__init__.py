"""Commands of gap_fit, read as fits of this package."""
