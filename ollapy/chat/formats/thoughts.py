"""The tags of thoughts, and tags around text that only tell it from them."""

from __future__ import annotations

from .format import Pair

THOUGHTS: tuple[Pair, ...] = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),  # Magistral, Ministral
    ("<|START_THINKING|>", "<|END_THINKING|>"),  # Command
    ("<seed:think>", "</seed:think>"),
    ("<mm:think>", "</mm:think>"),  # MiniMax M3
    ("<|channel>thought", "<channel|>"),  # Gemma 4
    ("<|think|>", "<|end|>"),  # Solar
    ("<|open|>think<|sep|>", "<|close|>think<|sep|>"),  # Kimi K3
    ("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
    ("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"),  # Apriel
)

DROPPED = (
    "<|START_RESPONSE|>",
    "<|END_RESPONSE|>",
    "<|START_TEXT|>",
    "<|END_TEXT|>",
    "<|begin|>assistant",
    "<|content|>",
    "<|open|>response<|sep|>",
    "<|close|>response<|sep|>",
    "<|close|>message<|sep|>",
    "<|end_of_msg|>",
    "[BEGIN FINAL RESPONSE]",
    "[END FINAL RESPONSE]",
    "<response>",  # Granite 3.3, where it thinks
    "</response>",
)
