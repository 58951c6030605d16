"""Everything about a model of the store, as `/api/show` tells it."""

from __future__ import annotations

from typing import Any

from ollapy.api.ollama import ModelRequest, ShowReport, ShowResponse
from ollapy.daemon.describe import (
    details,
    engine_of,
    model_info,
    modelfile,
    parameter_lines,
    report,
    tensor_rows,
)
from ollapy.errors import InvalidModel
from ollapy.gguf import read_header, read_model
from ollapy.names import ModelName
from ollapy.store import Model, Store, VllmModel
from ollapy.units import format_time


def everything(store: Store, body: ModelRequest) -> ShowResponse:
    """The answer to a request; reads files."""
    name, verbose = ModelName.parse(body.given), bool(body.verbose)
    model, entry = store.find(name), store.entry(name)
    if isinstance(model, VllmModel):
        return _of_vllm(model, body)
    model = store.get(name)
    # the vocabulary is left in the file unless it is asked for
    header = read_model(model.parts, arrays=True) if verbose else model.header
    return ShowResponse(
        license="\n".join(model.licenses),
        modelfile=modelfile(model, system=body.system or "", options=body.options),
        parameters=parameter_lines(model.parameters),
        template=model.template or model.chat_template or "",
        system=model.system or "",
        details=details(model),
        messages=model.messages or None,
        model_info=model_info(header, verbose=verbose),
        projector_info=_projector_info(model, verbose=verbose),
        tensors=tensor_rows(model.header),
        capabilities=model.capabilities,
        modified_at=format_time(model.modified_at),
        requires=model.config.requires,
        ollapy=report(model, entry.manifest.layers if entry else ()),
    )


def _of_vllm(model: VllmModel, body: ModelRequest) -> ShowResponse:
    """What the store knows of it: nothing of its weights."""
    return ShowResponse(
        license="\n".join(model.licenses),
        modelfile=modelfile(model, system=body.system or "", options=body.options),
        parameters=parameter_lines(model.stated),
        template="",
        system=model.system or "",
        details=details(model),
        messages=model.messages or None,
        model_info={},
        tensors=[],
        capabilities=model.capabilities,
        modified_at=format_time(model.modified_at),
        requires=model.config.requires,
        ollapy=ShowReport(engine=engine_of(model), source=model.source),
    )


def _projector_info(model: Model, *, verbose: bool) -> dict[str, Any]:
    if not model.projectors:
        return {}
    try:
        header = read_header(model.projectors[0], arrays=verbose)
    except InvalidModel as exc:
        raise InvalidModel(
            f"the projector of '{model.name}' cannot be used: {exc}"
        ) from exc
    return model_info(header, verbose=verbose)
