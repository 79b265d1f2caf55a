"""The command line: one file a command, picked by main.py."""
