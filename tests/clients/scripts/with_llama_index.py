"""LlamaIndex's Ollama class: a completion, a chat whole and in parts, an absurd context length."""

import json
import sys

from llama_index.core.llms import ChatMessage
from llama_index.llms.ollama import Ollama

CAPITAL = "What is the capital of Japan?"

address = f"http://{sys.argv[1]}"
llm = Ollama(model="tiny", base_url=address, temperature=0, thinking=False)
roomy = Ollama(
    model="tiny",
    base_url=address,
    temperature=0,
    thinking=False,
    context_window=10_000_000,
)
asked = [ChatMessage(role="user", content=CAPITAL)]
parts = list(llm.stream_chat(asked))
print(
    json.dumps(
        {
            "completed": llm.complete(CAPITAL).text,
            "whole": llm.chat(asked).message.content,
            "streamed": "".join(part.delta or "" for part in parts),
            "parts": len(parts),
            "roomy": roomy.chat(asked).message.content,
        }
    )
)
