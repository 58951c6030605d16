"""safetensors to GGUF: a folder of a Hugging Face model becomes one file that llama.cpp computes right with.

    config.json ──families──▶ Layout ──▶ metadata, weights ┐
    tokenizer.json or .model ──▶ Vocabulary, Specials      ├─▶ Contents ──writer──▶ GGUF
    *.safetensors ──▶ where each tensor lies               ┘

All of it runs in a child process (`child`, `__main__`), the only one that imports gguf.
"""

from .child import convert

__all__ = ["convert"]
