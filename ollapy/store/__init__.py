"""What is on disk: blobs by digest, manifests by name, and the models they make up."""

from .blobs import Blobs
from .manifests import Layer, Manifest, Manifests
from .model import Model, ModelConfig
from .store import Store, Stored
from .vllm_model import VllmModel

__all__ = [
    "Blobs",
    "Layer",
    "Manifest",
    "Manifests",
    "Model",
    "ModelConfig",
    "Store",
    "Stored",
    "VllmModel",
]
