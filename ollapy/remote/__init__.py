"""Models that run on another server, vLLM's or one that speaks like it.

The daemon asks them with the messages of `ollapy.runner.protocol`, as it asks a runner, and gets the same
events. No child process stands between: nothing here can crash natively, and a dropped connection is how the
other server is told to stop.
"""

from .model import RemoteModel
from .remote import VIA, Remote

__all__ = ["VIA", "Remote", "RemoteModel"]
