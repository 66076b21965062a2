"""Absorbed dose: one file for each model; plans choose theirs in `prescriptions.py`, images in `dose_files.py`."""
