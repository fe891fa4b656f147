"""Scaling: affine maps, named scalers, and scaling by source."""
