"""The clinical core: pure decisions on typed facts, no I/O, no clock, no framework."""
