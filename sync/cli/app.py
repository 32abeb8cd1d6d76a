"""The command line: which commands there are. What one takes and how its result is shown stands in its module, which is
imported when the command is asked for; the work itself is in sync.hub."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from sync.cli.output import Voice
from sync.cli.russian import tell, told

EXIT_CODES = (
    "Exit codes: 0 done; 1 something failed and is said; 2 the command or the configuration is wrong; 3 a person must decide; "
    "130 interrupted. / Коды выхода: 0 сделано; 1 что-то не удалось, и сказано что; 2 ошибка в команде или настройках; "
    "3 нужно решение человека; 130 прервано."
)
# In the order of `sverka --help`: command → its module here, and what the list of commands says of it
COMMANDS = {
    "init": ("setup", "Ask for the connections and write the configuration file."),
    "demo": (
        "setup",
        "Show the whole hub at work with stand-ins of a shop, accounting, a form and a mailbox: no accounts are needed.",
    ),
    "plan": ("plans", "Show what a sync would do."),
    "approve": ("plans", "Let what waits go: one plan, or --all."),
    "plans": ("plans", "List plans, decided ones too; show one, or refuse it with --drop."),
    "check": ("work", "Try every connection step by step; each failing line names the setting to mend."),
    "sync": ("work", "Run everything that is due, once."),
    "serve": ("work", "Run schedules, endpoints and pages until Ctrl-C."),
    "worker": ("work", "A further worker for a hub on PostgreSQL: no pages, only work, until Ctrl-C."),
    "trace": (
        "people",
        "Every hop of a record: order number, phone, e-mail, client's name, number in accounting, INN or article.",
    ),
    "deal": (
        "people",
        "Show a deal, or move it to another stage by hand: the change goes to the other systems with the next work.",
    ),
    "conflicts": ("people", "List values on which systems disagree, or decide one."),
    "review": ("people", "List questions about whose an event is, answer one for everybody, or take an answer back."),
    "status": ("people", "Connections, what waits, and the last runs."),
    "verify": ("audit", "Compare both sides of every linked record."),
    "undo": ("audit", "Take back what a run changed, here and in the other systems, wherever nothing has moved since."),
    "audit": ("audit", "Replay the journal over the first values: it must give today's records and shadows."),
    "inspect": (
        "inspecting",
        "Print as JSON lines the canonical records that the hub would make of a file, with problems named per record.",
    ),
    "client": ("clients", "Clients: show one, merge two cards, take a merge back."),
    "quarantine": ("quarantine", "List records that wait, try them again, or put them aside."),
    "report": ("reports", "Reports."),
    "identity": ("identity", "Whose is it: on files of your own, or all again."),
}
DEFAULT = Path("config.toml")
HIDDEN = {"replay": "audit"}  # what `audit` does, for those who look for that word


class Commands(TyperGroup):
    """The list of commands, without their modules: help, completion and "did you mean" need no more."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self._english = {one.name: one.help for one in self.params}  # type: ignore[attr-defined]
        for name, (_, line) in COMMANDS.items():
            self.add_command(TyperCommand(name, help=line))
        for name in HIDDEN:
            self.add_command(TyperCommand(name, hidden=True))

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """The language is that of the configuration, which may be named among the arguments."""
        Voice.language = _language(_named(args))
        for name, (_, line) in COMMANDS.items():
            self.commands[name].help = told(line)
        for one in self.params:
            one.help = told(self._english[one.name])  # type: ignore[attr-defined]
        return super().make_context(info_name, args, parent, **extra)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, found, rest = super().resolve_command(ctx, args)
        return name, found and real(str(name)), rest


def real(name: str) -> Any:
    """The command itself, its module imported."""
    module = import_module(f"sync.cli.{COMMANDS[HIDDEN.get(name, name)][0]}")
    app = typer.Typer(rich_markup_mode=None)
    module.register(app)
    return tell(typer.main.get_group(app).commands[name])


app = typer.Typer(
    cls=Commands,
    help="Sverka: forms, shops, mail and accounting in one client base. / "
    "Сверка: формы, магазины, почта и учёт в одной базе клиентов.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"sverka {version('sverka')}")
        raise typer.Exit()


@app.callback()
def _common(
    context: typer.Context,
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="SVERKA_CONFIG", help="The configuration file.")
    ] = DEFAULT,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    context.obj = config


def _named(args: list[str]) -> Path:
    """The configuration file as the arguments or the environment name it."""
    for at, one in enumerate(args):
        if one in ("-c", "--config") and args[at + 1 :]:
            return Path(args[at + 1])
        if one.startswith("--config="):
            return Path(one.removeprefix("--config="))
    return Path(os.environ.get("SVERKA_CONFIG") or DEFAULT)


def _language(path: Path) -> str:
    """The language of messages, also for those about a broken configuration."""
    import tomllib

    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return "en" if data.get("hub", {}).get("language") == "en" else "ru"
    except (OSError, ValueError, AttributeError):
        return "ru"


def main() -> None:
    """Run a command; what it says goes to the screen, its exit code to the caller."""
    from sync.log import configure

    configure()
    app()
