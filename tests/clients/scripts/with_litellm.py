"""LiteLLM by each of its three ways to the daemon: a chat whole and in parts, embeddings."""

import json
import sys

import litellm

CAPITAL = [{"role": "user", "content": "What is the capital of Japan?"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_time",
        "description": "Get the local time of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "The city"}},
            "required": ["city"],
        },
    },
}

address = f"http://{sys.argv[1]}"
WAYS = {
    "ollama_chat": {"model": "ollama_chat/tiny", "api_base": address, "think": False},
    "openai": {
        "model": "openai/tiny",
        "api_base": f"{address}/v1",
        "api_key": "none",
        "extra_body": {"reasoning_effort": "none"},
    },
    "anthropic": {"model": "anthropic/tiny", "api_base": address, "api_key": "none"},
}


def drive(way: dict[str, object]) -> dict[str, object]:
    """What came back, in the shape that the test expects of every way."""
    whole = litellm.completion(messages=CAPITAL, temperature=0, num_retries=0, **way)
    parts = litellm.completion(
        messages=CAPITAL, temperature=0, num_retries=0, stream=True, **way
    )
    called = litellm.completion(
        messages=[{"role": "user", "content": "What time is it in Oslo?"}],
        tools=[TOOL],
        temperature=0,
        num_retries=0,
        **way,
    )
    return {
        "whole": whole.choices[0].message.content,
        "streamed": "".join(part.choices[0].delta.content or "" for part in parts),
        "usage": whole.usage.completion_tokens > 0 and whole.usage.prompt_tokens > 0,
        "tools": [
            [call.function.name, json.loads(call.function.arguments)]
            for call in called.choices[0].message.tool_calls or []
        ],
    }


answers = {name: drive(way) for name, way in WAYS.items()}
vectors = litellm.embedding("ollama/tiny", input=["one", "two"], api_base=address)
print(
    json.dumps(
        {**answers, "vectors": [len(vector["embedding"]) for vector in vectors.data]}
    )
)
