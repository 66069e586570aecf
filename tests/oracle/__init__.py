"""Problems with answers that do not come from the package."""
