"""What a request asks of a conversation or a prompt: checked, with the model's own defaults filled in. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from ollapy.api.ollama import (
    ChatRequest,
    GenerateRequest,
    InferenceRequest,
    Message,
)
from ollapy.api.options import Options
from ollapy.daemon.asking import bounds, thinking
from ollapy.daemon.asking.askable import Askable
from ollapy.daemon.asking.grammar import grammar
from ollapy.daemon.asking.media import Files
from ollapy.daemon.asking.priority import is_background
from ollapy.daemon.asking.sampling import check_logprobs, sampling
from ollapy.daemon.asking.tool_choice import choose
from ollapy.errors import InvalidRequest, Unsupported
from ollapy.runner.protocol import Chat, Complete

_NUM_KEEP = 4  # tokens that stay at the beginning of a context that shifts


def options(given: dict[str, Any] | None, model: Askable) -> Options:
    """A request's options over the model's parameters."""
    return Options.parse(model.parameters, given or {})


def generate(
    request: GenerateRequest, model: Askable, chosen: Options
) -> Chat | Complete | None:
    """What `/api/generate` asks; None where it only wants the model loaded."""
    _check(request, model, "generate")
    think = thinking.think(request, is_able="thinking" in model.capabilities)
    if request.raw and (request.template or request.system or request.context):
        raise InvalidRequest("raw mode does not support template, system, or context")
    if request.suffix and "insert" not in model.capabilities:
        raise Unsupported(f"{model.name.full} does not support insert")
    if not (request.prompt or request.suffix or request.tokens or request.images):
        return None
    template = request.template or model.template or None
    if request.raw or request.suffix or request.tokens:
        template = None if request.raw else template
        return _complete(request, model, chosen, template)
    messages = _generate_messages(request, model)
    prefix = request.context
    return _chat(request, model, chosen, messages, think, template, prefix=prefix)


def chat(request: ChatRequest, model: Askable, chosen: Options) -> Chat | None:
    """What `/api/chat` asks; None where it only wants the model loaded."""
    _check(request, model, "chat")
    think = thinking.think(request, is_able="thinking" in model.capabilities)
    if request.tools and "tools" not in model.capabilities:
        raise Unsupported(f"{model.name.full} does not support tools")
    tools, choice = choose(request)
    if not request.messages:
        return None
    messages = _chat_messages(request, model)
    template = model.template or None
    asked = _chat(request, model, chosen, messages, think, template)
    return msgspec.structs.replace(asked, tools=tools, tool_choice=choice)


def _check(request: InferenceRequest, model: Askable, verb: str) -> None:
    check_logprobs(request)
    if "completion" not in model.capabilities:
        raise Unsupported(f'"{request.model}" does not support {verb}')


def _shared(request: InferenceRequest, chosen: Options) -> dict[str, Any]:
    num_keep = _NUM_KEEP if chosen.num_keep is None else chosen.num_keep
    wanted = grammar(request, chosen)
    return {
        "sampling": sampling(request, chosen, has_grammar=wanted is not None),
        "grammar": wanted,
        "num_ctx": chosen.num_ctx,
        "num_keep": num_keep if request.shift else None,
        "is_background": is_background(request),
        "render_only": bool(request.debug_render_only),
    }


def _complete(
    request: GenerateRequest, model: Askable, chosen: Options, template: str | None
) -> Complete:
    files = Files(request, model)
    names = files.names(request.images or [])
    if names and not request.raw:
        raise Unsupported("images go with a prompt, not with suffix or tokens")
    return Complete(
        prompt=request.prompt or "",
        images=names,
        media=files.media,
        tokens=request.tokens,
        suffix=request.suffix or None,
        template=template,
        **_shared(request, chosen),
    )


def _chat(
    request: InferenceRequest,
    model: Askable,
    chosen: Options,
    messages: list[Message],
    think: bool | str | None,
    template: str | None,
    *,
    prefix: list[int] | None = None,
) -> Chat:
    bounds.check("messages", messages, bounds.MAX_MESSAGES)
    files = Files(request, model)
    return Chat(
        messages=files.named(messages),
        media=files.media,
        tools=None,
        template=template,
        think=think,
        think_budget=thinking.budget(request, chosen),
        truncate=request.truncate is not False,
        prefix=prefix or [],
        **_shared(request, chosen),
    )


def _generate_messages(request: GenerateRequest, model: Askable) -> list[Message]:
    """System text, the model's own history unless a context replaces it, and the prompt as the user's."""
    system = request.system if request.system is not None else model.system
    messages = [Message("system", system)] if system else []
    if not request.context:
        messages += model.messages
    return [*messages, Message("user", request.prompt, images=request.images)]


def _chat_messages(request: ChatRequest, model: Askable) -> list[Message]:
    """The model's own history, then the request's; the model's system text where the request brings none."""
    given = [
        msgspec.structs.replace(m, role=m.role.lower()) for m in request.messages or []
    ]
    system = (
        [Message("system", model.system)]
        if model.system and given[0].role != "system"
        else []
    )
    return [*system, *model.messages, *given]
