"""Tumour response: the published criteria as tables and algorithms."""
