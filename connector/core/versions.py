"""Which edition of the rules decided; stands in every result, and changes whenever a clinical answer can change."""

RULESET = "thyroid-metastases-2026.12"
