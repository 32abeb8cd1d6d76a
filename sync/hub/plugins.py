"""Finding adapters: by entry point, lazily, each on its own. A broken one is reported and never fatal to the others."""

from __future__ import annotations

import difflib
from functools import cache
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable

from adapters.base import Adapter
from sync.errors import BadConfig, Fatal, Text

GROUP = "sverka.adapters"
OURS = ("sync", "adapters", "mappings")


@cache
def available() -> dict[str, EntryPoint]:
    """Entry points by adapter name, as they stood when first asked; nothing is imported yet."""
    return {point.name: point for point in entry_points(group=GROUP)}


def adapter_class(name: str, connection: str) -> type[Adapter]:
    """The adapter's class. BadConfig for an unknown name (with a suggestion) or a plug-in that cannot be imported."""
    points = available()
    setting = f"connections.{connection}.adapter"
    if name not in points:
        near = difflib.get_close_matches(name, points, 1)
        known = ", ".join(sorted(points))
        raise BadConfig(
            Text(
                f"{setting}: there is no adapter {name!r}{f'; did you mean {near[0]!r}?' if near else ''} Known: {known}.",
                f"{setting}: адаптера {name!r} нет{f'; может быть, {near[0]!r}?' if near else ''} Есть: {known}.",
            ),
            code="config.adapter",
            setting=setting,
        )
    try:
        found = points[name].load()
    except Exception as error:  # whatever a third party's module does at import
        raise BadConfig(
            Text(
                f"{setting}: the adapter {name!r} cannot be loaded ({type(error).__name__}: {error}). Reinstall its package.",
                f"{setting}: адаптер {name!r} не загружается ({type(error).__name__}: {error}). Переустановите его пакет.",
            ),
            code="config.adapter",
            setting=setting,
        ) from error
    if not (isinstance(found, type) and issubclass(found, Adapter)):
        raise BadConfig(
            Text(f"{setting}: {name!r} is no adapter class.", f"{setting}: {name!r} не является классом адаптера."),
            code="config.adapter",
            setting=setting,
        )
    return found


def mapping_folder(kind: type[Adapter]) -> Traversable | None:
    """The folder of mapping files that a third party's package brings, None for our own adapters."""
    package = kind.__module__.partition(".")[0]
    if package in OURS:
        return None
    folder = files(package) / "mappings"
    return folder if folder.is_dir() else None


def assert_own_packages() -> None:
    """Our packages have plain names: another distribution may have overwritten one of them."""
    for distribution in distributions():
        for package in _brings(distribution):
            if (name := str(distribution.metadata["Name"])) != "sverka":
                raise Fatal(
                    Text(
                        f"The package {package!r} comes from {name!r}, not from Sverka. "
                        "Install Sverka in an environment of its own.",
                        f"Пакет {package!r} — из {name!r}, а не из Сверки. Установите Сверку в отдельное окружение.",
                    ),
                    code="install.package",
                )


def _brings(distribution: Distribution) -> list[str]:
    """Which of our packages it has, by the text of its own lists: importlib's parsing of them took a tenth of a second in
    every command."""
    if top := distribution.read_text("top_level.txt"):
        return [package for package in OURS if package in top.split()]
    files = "\n" + (distribution.read_text("RECORD") or "")
    return [package for package in OURS if f"\n{package}/" in files]
