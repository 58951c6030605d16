"""What the shell offers after Tab. Nothing here starts a daemon, waits for one that is busy, or says what goes wrong."""

from .values import forms, keys, loaded, models, names, options

__all__ = ["forms", "keys", "loaded", "models", "names", "options"]
