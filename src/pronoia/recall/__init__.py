"""Ranking: signals over a working set, standardised, weighed, calibrated, explained."""
