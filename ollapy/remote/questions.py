"""What a runner is asked, as OpenAI's request bodies with vLLM's additions. Pure.

What the other server cannot do is refused where an answer would be another one, and else named in the log.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

from ollapy.api.grammar import ANY_OBJECT, Grammar, GrammarKind
from ollapy.api.ollama import Message, ToolCall
from ollapy.api.options import SamplingParams
from ollapy.runner.protocol import Chat, Complete, Embed, ToolChoice

from .model import RemoteModel

logger = logging.getLogger(__name__)

_STREAMED = {
    "stream": True,
    # the count of the prompt is wanted at the beginning as well
    "stream_options": {"include_usage": True, "continuous_usage_stats": True},
}
_REPEAT_LAST_N = SamplingParams().repeat_last_n


def chat(model: RemoteModel, asked: Chat) -> dict[str, Any]:
    """The body of `/v1/chat/completions`."""
    _refuse(
        model,
        context=asked.prefix,
        template=asked.template,
        think_budget=asked.think_budget is not None,
    )
    top = asked.sampling.logprobs
    return {
        **_shared(model, asked),
        **_thinking(asked.think),
        **_tools(asked),
        "messages": list(_messages(asked.messages)),
        **({} if top is None else {"logprobs": True, "top_logprobs": top}),
    }


def complete(model: RemoteModel, asked: Complete) -> dict[str, Any]:
    """The body of `/v1/completions`."""
    _refuse(model, suffix=asked.suffix, template=asked.template)
    prompt = asked.prompt if asked.tokens is None else asked.tokens
    top = asked.sampling.logprobs
    return {
        **_shared(model, asked),
        "prompt": prompt,
        **({} if top is None else {"logprobs": top}),
    }


def embed(model: RemoteModel, asked: Embed) -> dict[str, Any]:
    """The body of `/v1/embeddings`."""
    _ignore(num_ctx=asked.num_ctx not in (None, model.num_ctx))
    return {
        "model": model.id,
        "input": asked.inputs,
        "encoding_format": "float",
        **({"dimensions": asked.dimensions} if asked.dimensions else {}),
        **({"truncate_prompt_tokens": -1} if asked.truncate else {}),
    }


def _shared(model: RemoteModel, asked: Chat | Complete) -> dict[str, Any]:
    sampling = asked.sampling
    _refuse(
        model,
        render=asked.render_only,
        shift=asked.num_keep is not None,
        prompt_logprobs=sampling.prompt_logprobs is not None,
        typical_p=sampling.typical_p < 1,
    )
    _ignore(
        num_ctx=asked.num_ctx not in (None, model.num_ctx),
        repeat_last_n=sampling.repeat_last_n not in (_REPEAT_LAST_N, -1),
        priority=asked.is_background,
    )
    return {
        "model": model.id,
        **_STREAMED,
        **_sampling(sampling),
        **_grammar(asked.grammar),
    }


def _refuse(model: RemoteModel, **given: object) -> None:
    if names := [name for name, value in given.items() if value]:
        raise model.unsupported(f"where there is no {', '.join(names)}: leave it out")


def _ignore(**given: bool) -> None:
    for name in [name for name, value in given.items() if value]:
        logger.warning("option ignored, the other server decides it name=%s", name)


def _sampling(given: SamplingParams) -> dict[str, Any]:
    """Every value in the server's terms, since its defaults are not ours."""
    optional = {
        "seed": given.seed,
        "stop": list(given.stop) or None,
        "logit_bias": {str(k): v for k, v in given.logit_bias.items()} or None,
    }
    return {
        "temperature": given.temperature,
        "top_p": given.top_p,
        "top_k": given.top_k or -1,
        "min_p": given.min_p,
        "repetition_penalty": given.repeat_penalty,
        "presence_penalty": given.presence_penalty,
        "frequency_penalty": given.frequency_penalty,
        "max_tokens": given.max_tokens,  # null is all that there is room for, absent 16
        **{k: v for k, v in optional.items() if v is not None},
    }


def _grammar(grammar: Grammar | None) -> dict[str, Any]:
    if grammar is None:
        return {}
    if grammar == ANY_OBJECT:
        return {"response_format": {"type": "json_object"}}
    if grammar.kind is GrammarKind.SCHEMA:
        schema = {"name": "answer", "schema": grammar.source, "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    name = "grammar" if grammar.kind is GrammarKind.LARK else str(grammar.kind)
    return {"structured_outputs": {name: grammar.source}}


def _thinking(think: bool | str | None) -> dict[str, Any]:
    """A level as OpenAI has it; on and off by the names that templates know."""
    if think is None:
        return {}
    if isinstance(think, str):
        return {"reasoning_effort": think}
    switches = {"chat_template_kwargs": {"enable_thinking": think, "thinking": think}}
    return switches if think else {"reasoning_effort": "none", **switches}


def _tools(asked: Chat) -> dict[str, Any]:
    if not asked.tools:
        return {}
    parallel = {} if asked.tool_choice.is_parallel else {"parallel_tool_calls": False}
    return {"tools": asked.tools, "tool_choice": _choice(asked.tool_choice), **parallel}


def _choice(choice: ToolChoice) -> Any:
    if choice.name:
        return {"type": "function", "function": {"name": choice.name}}
    return "required" if choice.is_required else "auto"


def _messages(messages: list[Message]) -> Iterator[dict[str, Any]]:
    """The turns as OpenAI has them, where calls and their results have ids: given in order where they have none."""
    waiting: list[tuple[str, str]] = []  # names and ids of calls without a result
    for number, message in enumerate(messages):
        told: dict[str, Any] = {"role": message.role, "content": message.content or ""}
        if message.thinking:
            told["reasoning"] = message.thinking
        if message.tool_calls:
            told["tool_calls"] = calls = [
                _call(call, f"call_{number}_{index}")
                for index, call in enumerate(message.tool_calls)
            ]
            waiting += [(call["function"]["name"], call["id"]) for call in calls]
        if message.role == "tool":
            told["tool_call_id"] = _result_of(message, waiting)
        yield told


def _call(call: ToolCall, name: str) -> dict[str, Any]:
    arguments = json.dumps(call.function.arguments, ensure_ascii=False)
    function = {"name": call.function.name, "arguments": arguments}
    return {"id": call.id or name, "type": "function", "function": function}


def _result_of(message: Message, waiting: list[tuple[str, str]]) -> str:
    """The id of the call that a result is of: its own, or the first that waits for one, by name where it has one."""
    if message.tool_call_id:
        return message.tool_call_id
    named = [pair for pair in waiting if message.tool_name in (None, "", pair[0])]
    if not named:
        return "call"
    waiting.remove(named[0])
    return named[0][1]
