"""Downloads: blobs over bad networks, resumed, shared and verified."""

from .downloader import Downloader
from .plan import Plan, Source

__all__ = ["Downloader", "Plan", "Source"]
