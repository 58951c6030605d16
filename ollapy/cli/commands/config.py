"""`ollapy config`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from ollapy.cli import completion

if TYPE_CHECKING:
    from ollapy.settings import Settings
    from ollapy.settings.file import File, Key

app = typer.Typer(
    help="Read and change the settings.",
    epilog="Examples: `ollapy config set keep_alive 1h`, "
    "`ollapy config set models.mistral.options.temperature 0`",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_Key = Annotated[
    str,
    typer.Argument(
        metavar="KEY",
        autocompletion=completion.keys,
        help="As `ollapy config show` has it, or models.NAME.keep_alive, models.NAME.think, models.NAME.options.OPTION.",
    ),
]


@app.command("show")
def show(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the settings as JSON on one line.")
    ] = False,
) -> None:
    """Show every setting and where its value comes from.

    That is a variable, a line of the file, or the default. A variable wins over the file. A name that begins with OLLAPY_ wins over Ollama's.
    """
    from ollapy.cli.output import print_json, print_table

    rows = [*_rows(_warned().file)]
    if as_json:
        print_json(rows)
    else:
        cells = ((row["name"], row["value"] or "-", row["source"]) for row in rows)
        print_table(("NAME", "VALUE", "FROM"), cells)


@app.command("get")
def get(key: _Key) -> None:
    """Print one value, whatever it comes from."""
    from ollapy.cli.configuration import key_of
    from ollapy.cli.output import print_text
    from ollapy.errors import NotFound
    from ollapy.settings.file import File
    from ollapy.settings.settings import config_path

    wanted, file = key_of(key), File.read(config_path())
    value = _value(wanted, file)
    if value is None:
        raise NotFound(f"{'.'.join(wanted)} is not set")
    print_text(value)


@app.command("set", context_settings={"ignore_unknown_options": True})  # -1 is a value
def set_(
    key: _Key,
    value: Annotated[
        str,
        typer.Argument(metavar="VALUE", help="Of a list, the items between commas."),
    ],
) -> None:
    """Set a value in the file. Its comments stay, and a running daemon reads it at once."""
    from ollapy.cli.configuration import key_of, value_of
    from ollapy.settings.edit import put
    from ollapy.settings.settings import config_path

    wanted = key_of(key)
    put(config_path(), wanted, value_of(wanted, value))
    _say_when(wanted)


@app.command("unset")
def unset(key: _Key) -> None:
    """Take a value out of the file, so that its default holds."""
    from ollapy.cli.configuration import key_of
    from ollapy.errors import NotFound
    from ollapy.settings.edit import drop
    from ollapy.settings.file import File
    from ollapy.settings.settings import config_path

    wanted, path = key_of(key), config_path()
    file = File.read(path)
    if not file.problem and wanted not in file.entries:
        raise NotFound(f"{'.'.join(wanted)} is not set in {path}")
    drop(path, wanted)
    _say_when(wanted)


@app.command("edit")
def edit() -> None:
    """Open the file in your editor. A new one has all settings in its comments."""
    import shlex
    import subprocess

    from ollapy.errors import OllapyError
    from ollapy.settings import Settings, edit, editor
    from ollapy.settings.settings import config_path

    path = config_path()
    if not path.exists():
        edit.create(path)
    command = shlex.split(Settings.from_env().editor or editor())
    try:
        status = subprocess.run([*command, str(path)], check=False).returncode
    except OSError as exc:
        raise OllapyError(
            f"'{command[0]}' cannot be started ({exc.strerror}): set EDITOR to your editor"
        ) from exc
    _warned()
    if status:
        raise typer.Exit(1)


@app.command("path")
def path() -> None:
    """Print where the file is, or would be."""
    from ollapy.settings.settings import config_path

    print(config_path())


def _warned() -> Settings:
    """The settings, once it is said what of them cannot be used."""
    from ollapy.cli.output import talk
    from ollapy.settings import Settings

    settings = Settings.from_env()
    for warning in settings.warnings:
        talk(f"Warning: {warning}")
    return settings


def _say_when(key: Key) -> None:
    """What keeps a new value from being used at once; a model's is."""
    from ollapy.cli.configuration import setting_of
    from ollapy.cli.output import talk
    from ollapy.settings.file import File
    from ollapy.settings.settings import config_path, explained

    setting = setting_of(key)
    if setting is None:
        return
    found = explained(setting, File.read(config_path()))
    if found.source.kind == "environment":
        talk(f"{found.source.where} is set, and wins over the file.")
    elif not setting.reloads:
        talk("A running daemon uses it after a restart: `ollapy serve --stop`.")


def _rows(file: File) -> Iterator[dict[str, str]]:
    from ollapy.settings.settings import explain

    for found in explain(file):
        yield {
            "name": found.setting.name,
            "value": found.shown,
            "source": str(found.source),
            "kind": found.source.kind,
        }
    for key, entry in file.entries.items():
        if key[0] == "models" and len(key) > 2:
            value, source = str(entry.value), f"{file.path}:{entry.line}"
            name = ".".join(key)
            yield {"name": name, "value": value, "source": source, "kind": "file"}


def _value(key: Key, file: File) -> str | None:
    from ollapy.cli.configuration import setting_of
    from ollapy.settings.settings import explained

    if setting := setting_of(key):
        return explained(setting, file).text
    entry = file.entries.get(key)
    return str(entry.value) if entry else None
