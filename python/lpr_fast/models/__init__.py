"""Models on arrays: features and species in, rigidities, residuals and energies out. Nothing of structures."""
