"""The command line `onaiml`. Importing this package must stay free: it is on the path of `--version`."""

__version__ = "0.1.0"
