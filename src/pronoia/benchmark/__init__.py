"""Measurements of quality on public data, through the real services."""
