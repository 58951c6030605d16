"""Creator: models of other models and of files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import msgspec

from ollapy.api.ollama import Progress
from ollapy.errors import InvalidRequest, ModelNotFound
from ollapy.gguf import read_header
from ollapy.names import Digest
from ollapy.operation import Operation
from ollapy.store import Layer, Manifest, Store
from ollapy.store.durable import translated
from ollapy.store.leases import Lease

from .base import Base, layer
from .convert import convert
from .gguf_files import GgufFiles, adapters_of
from .layers import config_layer, text_layers
from .parameters import checked
from .precision import Quantization, check_quantizable
from .recipe import Recipe
from .referred import Referred, referred
from .temporary import temporary
from .uploads import Upload, uploads

_NO_GGUF = "supplied file was not in GGUF format"


@dataclass(frozen=True)
class Creator:
    """For one request; `env` is the environment of the processes that convert and quantize."""

    store: Store
    env: Mapping[str, str]
    operation: Operation
    _made: set[Digest] = field(default_factory=set, init=False)

    def create(self, recipe: Recipe) -> Progress:
        """Make the model. Until the last moment its name means what it meant before."""
        try:
            self._create(recipe)
        finally:
            # of weights that were quantized the whole ones, and all where it fails
            if self._made:
                self.store.discard(self._made)
        return Progress("success")

    def _create(self, recipe: Recipe) -> None:
        with self.store.lease(*recipe.digests) as lease:
            base = referred(recipe, self.store) or self._whole(recipe, lease)
            drafts, texts = self._drafts(recipe), _texts(recipe, base)
            config = config_layer(msgspec.structs.replace(base.config, **recipe.config))
            layers = [*_kept(base, texts), *drafts, *texts]
            manifest = Manifest(config=config[0], layers=layers)
            lease.add(*manifest.digests)
            self._write(dict([*texts.items(), config]), manifest)
            self.operation.status("writing manifest")
            if self.store.put(recipe.name, manifest):
                self.operation.status("removing unused layers")

    def _whole(self, recipe: Recipe, lease: Lease) -> Base:
        return self._quantized(self._base(recipe, lease), recipe, lease)

    def _base(self, recipe: Recipe, lease: Lease) -> Base:
        files = self._files(recipe, lease)
        if recipe.base is None:
            base = Base.of_files(files)
        elif files.weights:
            raise InvalidRequest(
                f"'{files.weights[0].name}' and '{recipe.base}' are both models, take one of them"
            )
        else:
            base = self._stored(recipe, lease)
        adapters = adapters_of(uploads(recipe.adapters, self.store.blobs))
        return base.extended(files, [*files.adapters, *adapters])

    def _stored(self, recipe: Recipe, lease: Lease) -> Base:
        assert recipe.base
        entry = self.store.entry(recipe.base)
        if entry is None:
            raise ModelNotFound(f"model '{recipe.base}' not found")
        lease.add(*entry.manifest.digests)
        return Base.of_model(self.store.get(recipe.base), entry.manifest.layers)

    def _files(self, recipe: Recipe, lease: Lease) -> GgufFiles:
        files = uploads(recipe.files, self.store.blobs)
        gguf = [file for file in files if file.is_gguf]
        if any(file.name.suffix == ".safetensors" for file in files):
            gguf.append(self._converted(files, lease))
        elif len(gguf) < len(files):
            raise InvalidRequest(_refusal(files, gguf))
        found = GgufFiles.of(gguf)
        if gguf:  # told late, so that a file that is no model has a status of its own
            self.operation.status("parsing GGUF")
        return found

    def _converted(self, files: Sequence[Upload], lease: Lease) -> Upload:
        """The folder of a Hugging Face model as one file."""
        with temporary(lambda: TemporaryDirectory(prefix="ollapy-")) as folder:
            with translated("put the model's files together"):
                for file in files:
                    link = Path(folder) / file.name
                    link.parent.mkdir(parents=True, exist_ok=True)
                    link.symlink_to(file.path.absolute())
            return self._make(
                lambda target: convert(Path(folder), target, self.operation, self.env),
                lease,
            )

    def _drafts(self, recipe: Recipe) -> list[Layer]:
        drafts = uploads(recipe.drafts, self.store.blobs)
        if drafts:
            self.operation.status("warning: the draft model is kept, but not used")
        return [layer(file, "draft") for file in drafts]

    def _quantized(self, base: Base, recipe: Recipe, lease: Lease) -> Base:
        if recipe.file_type in (None, base.header.file_type):
            return base
        check_quantizable(base.header)
        quantization = Quantization(base.weights, base.header, str(recipe.file_type))
        file = self._make(
            lambda target: quantization.run(target, self.operation, self.env), lease
        )
        self.operation.status("verifying conversion")
        return base.with_weights(file, read_header(file.path))

    def _make(self, write: Callable[[Path], None], lease: Lease) -> Upload:
        """The blob of what `write` puts into the file that it is given."""

        def told(_completed: int) -> None:
            self.operation.check()

        blobs = self.store.blobs
        digest = blobs.make(write, hold=lease.add, told=told)
        self._made.add(digest)
        path = blobs.path(digest)
        return Upload(PurePosixPath("model.gguf"), digest, path, path.stat().st_size)

    def _write(self, contents: Mapping[Layer, bytes], manifest: Manifest) -> None:
        blobs = self.store.blobs
        for each in (*manifest.layers, manifest.config):
            is_here = blobs.exists(each.digest)
            verb = "using existing" if is_here else "creating new"
            self.operation.status(f"{verb} layer {each.digest}")
            if not is_here and each in contents:
                blobs.add([contents[each]], each.digest)


def _texts(recipe: Recipe, base: Base | Referred) -> dict[Layer, bytes]:
    """What the recipe says beside its files; parameters are added to the base's."""
    own = recipe.parameters
    return text_layers(
        template=recipe.template,
        system=recipe.system,
        licenses=recipe.licenses,
        parameters=checked({**base.parameters, **own}) if own else {},
        messages=recipe.messages,
    )


def _kept(base: Base | Referred, texts: Iterable[Layer]) -> list[Layer]:
    """The base's layers that nothing takes the place of; licences come together."""
    replaced = {layer.kind for layer in texts} - {"license"}
    if "template" in replaced:
        replaced.add("prompt")  # as Ollama once called it
    return [layer for layer in base.layers if layer.kind not in replaced]


def _refusal(files: Sequence[Upload], gguf: Sequence[Upload]) -> str:
    """Of files some of which nobody can read."""
    strange = next(file for file in files if file not in gguf)
    is_named = strange.name.suffix.lower() == ".gguf" or gguf
    return f"'{strange.name}': {_NO_GGUF if is_named else 'unknown type'}"
