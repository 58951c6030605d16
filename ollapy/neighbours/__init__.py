"""Models that other programs keep on this machine: looked at, used in place, never changed."""

from .neighbour import Copy, LocalFile, Neighbour
from .neighbours import Neighbours

__all__ = ["Copy", "LocalFile", "Neighbour", "Neighbours"]
