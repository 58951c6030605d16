"""LangChain's OpenAI classes: a chat whole and in parts, a bound tool, embeddings."""

import json
import sys

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

CAPITAL = "What is the capital of Japan?"


@tool
def get_time(city: str) -> str:
    """Get the local time of a city."""
    return f"noon in {city}"


address = f"http://{sys.argv[1]}/v1"
chat = ChatOpenAI(
    model="tiny",
    base_url=address,
    api_key="none",
    temperature=0,
    reasoning_effort="none",
    max_retries=0,
    stream_usage=True,
)
whole = chat.invoke(CAPITAL)
parts = list(chat.stream(CAPITAL))
summed = parts[0]
for part in parts[1:]:
    summed += part
called = chat.bind_tools([get_time]).invoke("What time is it in Oslo?")
# The check would download a tokenizer of OpenAI's.
vectors = OpenAIEmbeddings(
    model="tiny", base_url=address, api_key="none", check_embedding_ctx_length=False
).embed_documents(["one", "two"])
print(
    json.dumps(
        {
            "whole": whole.content,
            "streamed": summed.content,
            "parts": len(parts),
            "usage": whole.usage_metadata,
            "summed_usage": summed.usage_metadata,
            "tools": [[call["name"], call["args"]] for call in called.tool_calls],
            "vectors": [len(vector) for vector in vectors],
        }
    )
)
