"""The command line: one file a noun, about twenty lines a command, no decisions."""
