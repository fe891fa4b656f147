"""Rows and their sources: tables, labels, cells, stacking and joining."""
