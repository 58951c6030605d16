"""`ollapy service`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ollapy.cli.service import Keeper
    from ollapy.settings import Settings

app = typer.Typer(
    help="Have the daemon run by itself, from when you log in.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("install")
def install() -> None:
    """Install the daemon as a service of yours, and start it.

    That is a unit of systemd's on Linux, an agent of launchd's on macOS and a scheduled task on Windows. It reads the
    settings file and not the variables of this shell. Install it again
    after an update of Python, whose path is in it.
    """
    from ollapy.cli.output import talk
    from ollapy.cli.service import acting
    from ollapy.settings import Settings

    settings = Settings.from_env()
    keeper = _keeper(settings)
    if not keeper.file.exists():
        _must_be_free(settings)
    acting.install(keeper, settings.file_env)
    print(f"installed {keeper.file}")
    talk(keeper.told)
    _warn_of_variables(settings)


@app.command("uninstall")
def uninstall() -> None:
    """End the service and take it away. Models and settings stay."""
    from ollapy.cli.service import acting
    from ollapy.settings import Settings

    keeper = _keeper(Settings.from_env())
    acting.uninstall(keeper)
    print(f"removed {keeper.file}")


@app.command("status")
def status() -> None:
    """Show what the system says of the service. The exit status is 0 where it runs."""
    from ollapy.cli.service import acting
    from ollapy.settings import Settings

    keeper = _keeper(Settings.from_env())
    _must_be_installed(keeper)
    acting.probe(keeper)
    raise typer.Exit(acting.show(keeper.status))


@app.command("logs")
def logs(
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes.")
    ] = False,
) -> None:
    """Show the last lines that the service wrote."""
    from ollapy.cli.service import acting
    from ollapy.errors import Unsupported
    from ollapy.settings import Settings

    keeper = _keeper(Settings.from_env())
    _must_be_installed(keeper)
    command = keeper.logs(follow=follow)
    if command is None:
        raise Unsupported(
            f"{keeper.program} keeps no log: `ollapy serve` in a terminal shows what happens"
        )
    raise typer.Exit(acting.show(command))


def _keeper(settings: Settings) -> Keeper:
    from ollapy.cli.service import here

    return here(settings.logs)


def _must_be_installed(keeper: Keeper) -> None:
    from ollapy.errors import NotFound

    if not keeper.file.exists():
        raise NotFound("the service is not installed: `ollapy service install` does it")


def _must_be_free(settings: Settings) -> None:
    """A daemon that runs already would keep the service from starting."""
    from ollapy.cli.session import check, connect
    from ollapy.errors import DaemonUnreachable, OllapyError

    with connect(settings) as client:
        try:
            check(client)
        except DaemonUnreachable:
            return
    raise OllapyError(
        f"ollapy is already running on {settings.address}: end it with `ollapy serve --stop`"
    )


def _warn_of_variables(settings: Settings) -> None:
    from ollapy.cli.output import talk
    from ollapy.settings.settings import explain

    for found in explain(settings.file):
        if found.source.kind == "environment":
            talk(
                f"The service does not see {found.source.where}: `ollapy config set {found.setting.name} ...`"
            )
