"""OpenAPI: the API as a document, made from the routes and the types that they take and give. Pure."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ollapy import __version__
from ollapy.api import anthropic, openai
from ollapy.daemon.endpoint import Endpoint

_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
_BEARER, _HEADER = "bearer", "x-api-key"
_DESCRIPTION = (
    "The APIs of Ollama (`/api`), OpenAI (`/v1`) and Anthropic (`/v1/messages`), and ollapy's own routes. "
    "Durations are nanoseconds, sizes bytes. Unknown fields are passed over and named in the log, and null is the same as absent."
)


class ErrorResponse(msgspec.Struct, frozen=True):
    """What Ollama's routes say instead of an answer, in one sentence; in a stream it is the last record."""

    error: str


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """An OpenAPI 3.1 description of the routes."""
    schemas = _Schemas(endpoints)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operations = paths.setdefault(_path(endpoint), {})
        for verb in endpoint.verbs:
            operations[verb.lower()] = _operation(endpoint, verb, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ollapy",
            "version": __version__,
            "description": _DESCRIPTION,
        },
        "tags": _tags(endpoints),
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {
                _BEARER: {"type": "http", "scheme": "bearer"},
                _HEADER: {"type": "apiKey", "in": "header", "name": _HEADER},
            },
        },
    }


class _Schemas:
    """JSON Schemas of all types, by the type; what they share is in `components`."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        used = [kind for e in endpoints for kind in (e.takes, e.gives)]
        used += [ErrorResponse, openai.ErrorResponse, anthropic.ErrorResponse]
        kinds = [kind for i, kind in enumerate(used) if kind and kind not in used[:i]]
        found, self.components = msgspec.json.schema_components(
            kinds, ref_template="#/components/schemas/{name}"
        )
        self._found = list(zip(kinds, found, strict=True))
        for endpoint in endpoints:
            if endpoint.takes_form:
                self._as_form(self.of(endpoint.takes))

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of a type that a route takes or gives."""
        return next(schema for known, schema in self._found if known == kind)

    def _as_form(self, schema: dict[str, Any]) -> None:
        """Files are in a form as they are, where JSON would have them in base64."""
        name = schema["$ref"].rpartition("/")[2]
        for field in self.components[name]["properties"].values():
            if field.pop("contentEncoding", None):
                field["contentMediaType"] = "application/octet-stream"


def _operation(endpoint: Endpoint, verb: str, schemas: _Schemas) -> dict[str, Any]:
    summary, _, rest = endpoint.description.partition("\n")
    path = _path(endpoint)
    found: dict[str, Any] = {
        "operationId": "_".join(re.findall(r"\w+", f"{verb.lower()} {path}")),
        "summary": summary,
        "tags": [_tag(endpoint)],
        "parameters": [_parameter(name) for name in _PARAMETER.findall(path)],
        "responses": {
            "200": _answer(endpoint, schemas),
            "default": _failure(path, schemas),
        },
        "security": [{_BEARER: []}, {_HEADER: []}, {}] if endpoint.needs else [],
    }
    if rest.strip():
        found["description"] = rest.strip()
    if endpoint.needs:
        found["x-ollapy-scope"] = endpoint.needs
    if endpoint.takes:
        kind = "multipart/form-data" if endpoint.takes_form else "application/json"
        content = {kind: {"schema": schemas.of(endpoint.takes)}}
        found["requestBody"] = {"required": True, "content": content}
    return found


def _parameter(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
    }


def _answer(endpoint: Endpoint, schemas: _Schemas) -> dict[str, Any]:
    if not endpoint.gives:
        return {"description": "Done."}
    content = {"application/json": {"schema": schemas.of(endpoint.gives)}}
    if not endpoint.streams:
        return {"description": "The answer.", "content": content}
    stream = (
        "text/event-stream"
        if endpoint.path.startswith("/v1/")
        else "application/x-ndjson"
    )
    # what events are in a stream of OpenAI's or Anthropic's is theirs to say
    told = content["application/json"] if stream == "application/x-ndjson" else {}
    return {
        "description": "The answer, or a stream of its pieces.",
        "content": {**content, stream: told},
    }


def _failure(path: str, schemas: _Schemas) -> dict[str, Any]:
    kind: Any = openai.ErrorResponse if path.startswith("/v1/") else ErrorResponse
    if path.startswith("/v1/messages"):
        kind = anthropic.ErrorResponse
    return {
        "description": "Why there is none.",
        "content": {"application/json": {"schema": schemas.of(kind)}},
    }


def _path(endpoint: Endpoint) -> str:
    return _PARAMETER.sub(r"{\1}", endpoint.path)


def _tag(endpoint: Endpoint) -> str:
    return endpoint.handler.__module__.rpartition(".")[2]


def _tags(endpoints: Iterable[Endpoint]) -> list[dict[str, str]]:
    """The modules of the routes, with what they say of themselves."""
    modules = {_tag(e): sys.modules[e.handler.__module__] for e in endpoints}
    return [
        {"name": name, "description": inspect.cleandoc(module.__doc__ or "")}
        for name, module in modules.items()
    ]
