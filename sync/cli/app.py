"""The command line: what each command takes, and how its result is shown. The work itself is in sync.hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sync import config as configuration
from sync.cli import audit, clients, identity, inspecting, people, plans, quarantine, reports, setup, work
from sync.cli.output import Voice

EXIT_CODES = (
    "Exit codes: 0 done; 1 something failed and is said; 2 the command or the configuration is wrong; 3 a person must decide; "
    "130 interrupted. / Коды выхода: 0 сделано; 1 что-то не удалось, и сказано что; 2 ошибка в команде или настройках; "
    "3 нужно решение человека; 130 прервано."
)
app = typer.Typer(
    help="Sverka: forms, shops, mail and accounting in one client base. / "
    "Сверка: формы, магазины, почта и учёт в одной базе клиентов.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for module in (setup, plans, work, people, clients, quarantine, reports, audit, inspecting, identity):
    module.register(app)


@app.callback()
def _common(
    context: typer.Context,
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="SVERKA_CONFIG", help="The configuration file.")
    ] = Path("config.toml"),
) -> None:
    context.obj = config
    Voice.language = _language(config)


def _language(path: Path) -> str:
    """The language of messages, also for those about a broken configuration."""
    import tomllib

    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return "en" if data.get("hub", {}).get("language") == "en" else "ru"
    except (OSError, ValueError, AttributeError):
        return configuration.Hub().language


def main() -> None:
    """Run a command; what it says goes to the screen, its exit code to the caller."""
    from sync.log import configure

    configure()
    app()
