"""Models on arrays: rigidities, residuals and energies from features and species, without structures."""
