"""Downloads: blobs over bad networks, resumed, shared and verified."""

from .downloader import Downloader
from .plan import Inspect, Plan, Source

__all__ = ["Downloader", "Inspect", "Plan", "Source"]
