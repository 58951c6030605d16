"""The daemon as a service of the user's: whoever keeps programs running here starts it and starts it again."""

from .keeper import Keeper, here

__all__ = ["Keeper", "here"]
