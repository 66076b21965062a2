"""Which treatment fits: cited rules, one file for each source or guideline edition."""
