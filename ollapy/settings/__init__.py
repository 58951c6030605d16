"""Settings: what the environment and the settings file say, read at the start of a command or of the daemon.

The only reader of os.environ. A value that cannot be read is named in `Settings.warnings`, which the daemon logs
and the command line says; the next source's is taken in its place.
"""

from ollapy.settings.address import Address
from ollapy.settings.settings import Settings
from ollapy.settings.terminal import (
    editor,
    has_colours,
    has_escapes,
    is_completing,
)

__all__ = [
    "Address",
    "Settings",
    "editor",
    "has_colours",
    "has_escapes",
    "is_completing",
]
