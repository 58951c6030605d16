"""Pydantic AI: an agent that answers, one that streams, one with a type for its answer, one with a tool."""

import asyncio
import json
import sys
from typing import Literal

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.ollama import OllamaProvider
from pydantic_ai.usage import UsageLimits

CAPITAL = "What is the capital of Japan?"


class City(BaseModel):
    """A type for the answer, of an end however small the model."""

    name: Literal["Lima", "Tokyo"]


async def main() -> None:
    """Runs the agents one after the other and prints what they said."""
    model = OpenAIChatModel(
        "tiny", provider=OllamaProvider(base_url=f"http://{sys.argv[1]}/v1")
    )
    settings = {"temperature": 0, "extra_body": {"reasoning_effort": "none"}}
    agent = Agent(model, model_settings=settings)
    whole = await agent.run(CAPITAL)
    async with agent.run_stream(CAPITAL) as stream:
        parts = [part async for part in stream.stream_text(delta=True)]
    typed = await Agent(
        model, model_settings=settings, output_type=NativeOutput(City)
    ).run(CAPITAL)
    asked = []

    def get_time(city: str) -> str:
        """Get the local time of a city."""
        asked.append(city)
        return f"noon in {city}"

    told = await Agent(model, model_settings=settings, tools=[get_time]).run(
        "What time is it in Oslo?", usage_limits=UsageLimits(request_limit=4)
    )
    print(
        json.dumps(
            {
                "whole": whole.output,
                "streamed": "".join(parts),
                "typed": typed.output.name,
                "asked": asked,
                "told": told.output,
            }
        )
    )


asyncio.run(main())
