"""Models beside one another, and environments beside others."""
