"""From structures to features: floors above the models, below the command line."""
