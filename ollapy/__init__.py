"""A local model runtime: a daemon, its runners and the `ollapy` command."""

__version__ = "0.1.0"
