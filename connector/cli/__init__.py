"""The command line, one file for each group of commands; each function is one command and thin."""
