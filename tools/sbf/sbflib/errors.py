"""The two ways a command ends badly: wrong usage (exit 2) and a failed build (exit 1)."""


class UsageError(Exception):
    """Bad input: the command prints this as one line and exits 2."""


class BuildError(Exception):
    """The input was fine, but the program can't be built: printed, exit 1."""
