"""The contract with scripts: JSON cases in, JSON results out, one file a command."""
