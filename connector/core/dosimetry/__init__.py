"""Absorbed dose: one file for each model."""
