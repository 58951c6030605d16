"""The models of another server in lists and in `show`: what is known of them is little. Pure."""

from __future__ import annotations

from ollapy.api.ollama import Details, ModelSummary, RunningModel, ShowResponse
from ollapy.remote import RemoteModel
from ollapy.units import format_time

_FOREVER = float("inf")


def summary(model: RemoteModel) -> ModelSummary:
    """A row of `/api/tags`, with Ollama's own words for where the model is."""
    return ModelSummary(
        name=str(model.name),
        model=str(model.name),
        modified_at=format_time(model.modified_at),
        size=0,
        digest="",
        details=_details(model),
        capabilities=list(model.capabilities),
        remote_model=model.id,
        remote_host=model.host,
    )


def running(model: RemoteModel) -> RunningModel:
    """A row of `/api/ps`: it is loaded there for as long as the server runs."""
    return RunningModel(
        name=str(model.name),
        model=str(model.name),
        size=0,
        digest="",
        details=_details(model),
        expires_at=format_time(_FOREVER),
        size_vram=0,
        context_length=model.num_ctx,
        remote_host=model.host,
    )


def shown(model: RemoteModel) -> ShowResponse:
    """The answer of `/api/show`."""
    length = {"general.context_length": model.num_ctx} if model.num_ctx else {}
    return ShowResponse(
        modelfile="",
        template="",
        details=_details(model),
        model_info=dict(length),
        tensors=[],
        capabilities=list(model.capabilities),
        modified_at=format_time(model.modified_at),
        remote_model=model.id,
        remote_host=model.host,
    )


def _details(model: RemoteModel) -> Details:
    return Details(
        parent_model="",
        format="",
        family="",
        families=None,
        parameter_size="",
        quantization_level="",
        context_length=model.num_ctx,
    )
