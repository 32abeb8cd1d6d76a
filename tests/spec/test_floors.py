"""The house: every import goes down, adapters know nothing of the hub, and the hub knows no vendor."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOORS = {
    6: {"web", "cli", "__main__"},  # of these cli sees web (it starts the service), __main__ sees cli
    5: {"hub"},
    4: {"schedule"},
    3: {"flow"},
    2: {"intake", "lens", "identity", "delivery"},
    1: {"model", "reconcile", "store", "errors", "config", "adapters.base", "log"},
}
FLOOR = {name: floor for floor, names in FLOORS.items() for name in names}
BESIDE = {("__main__", "cli"), ("cli", "web")}
# the ground that others of floor 1 may stand on; store speaks of values, config of fields with owners and stage graphs
BENEATH = {
    "model": {"errors"},
    "reconcile": {"errors", "model"},  # of the errors only Text: a reason in both languages
    "store": {"errors", "model"},
    "config": {"errors", "model", "reconcile"},
    "adapters.base": {"errors"},
    "errors": set(),
    "log": set(),
}
VENDORS = re.compile(
    r"(?<![a-z0-9])(bitrix\w*|amocrm|creatio|woocommerce|woo|tilda|opencart|insales|shopify|onec\w*|commerceml|1c|1с)(?![a-z0-9])",
    re.IGNORECASE,
)
# 1C stands where its business terms are named
ONE_C = {"sync/model/records.py"}


def modules(*tops: str) -> list[Path]:
    return sorted(p for top in tops for p in (ROOT / top).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Names of imported modules, absolute, with their lines: also those inside functions."""
    package = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level]) if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = ROOT / Path(*f"{module}.{alias.name}".split("."))
                is_module = inner.with_suffix(".py").exists() or (inner / "__init__.py").exists()
                yield (f"{module}.{alias.name}" if is_module else module), node.lineno


def place(module: str) -> str | None:
    """The part of the house: "flow", "adapters.base", … None for what is not ours."""
    parts = module.split(".")
    if parts[0] == "sync" and len(parts) > 1:
        return parts[1]
    return "adapters.base" if module == "adapters.base" else None


@pytest.mark.parametrize("path", modules("sync"), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_import_goes_down(path: Path) -> None:
    mine = path.relative_to(ROOT / "sync").with_suffix("").parts[0]
    for module, line in imports(path):
        where = f"{path.relative_to(ROOT)}:{line} imports {module}"
        assert not module.startswith("tests"), where
        if module.startswith("adapters"):
            assert module == "adapters.base", f"{where}: only the contract is known here"
        other = place(module)
        if mine == "__init__" or other in (None, mine, "__init__"):
            continue
        assert other in FLOOR, f"{where}: {other} has no floor"
        if FLOOR[mine] == 1:
            assert other in BENEATH[mine], f"{where}: {mine} may stand on {BENEATH[mine] or 'nothing'} only"
        else:
            assert FLOOR[other] < FLOOR[mine] or (mine, other) in BESIDE, (
                f"{where}: floor {FLOOR[other]} seen from floor {FLOOR[mine]}"
            )


def test_every_part_of_the_house_has_a_floor() -> None:
    parts = {p.relative_to(ROOT / "sync").with_suffix("").parts[0] for p in modules("sync")} - {"__init__"}
    assert parts <= FLOOR.keys()


def test_there_are_no_circles() -> None:
    graph: dict[str, set[str]] = {}
    for path in modules("sync"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        top = {m for m, _ in imports(path) if m.startswith("sync.")}
        graph[name] = {m for m in top if m != name}
    circles = list(_circles(_packages(graph)))
    assert circles == []


def _packages(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, others in graph.items():
        mine = place(name)
        if mine:
            found.setdefault(mine, set()).update(o for m in others if (o := place(m)) and o != mine)
    return found


def _circles(graph: dict[str, set[str]]) -> Iterator[list[str]]:
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> Iterator[list[str]]:
        if name in way:
            yield way[way.index(name) :]
        elif name not in done:
            for other in sorted(graph.get(name, ())):
                yield from walk(other, [*way, name])
            done.add(name)

    for name in sorted(graph):
        yield from walk(name, [])


@pytest.mark.parametrize("path", modules("adapters"), ids=lambda p: str(p.relative_to(ROOT)))
def test_adapters_know_only_each_others_ground(path: Path) -> None:
    mine = path.relative_to(ROOT / "adapters").with_suffix("").parts[0]
    for module, line in imports(path):
        where = f"{path.relative_to(ROOT)}:{line} imports {module}"
        assert not module.startswith(("tests", "mappings")), where
        if module.startswith("sync"):
            assert (mine, module) == ("base", "sync.errors"), where
        if module.startswith("adapters."):
            other = module.split(".")[1]
            assert other in (mine, "answers", "base", "faults", "memory", "network", "testing"), (
                f"{where}: another vendor's package"
            )
            assert other != "base" or mine == "base" or module == "adapters.base", f"{where}: a part of the contract"


def test_stand_ins_are_no_mirrors_of_the_adapters() -> None:
    """They are written from the protocols: what an adapter gets wrong its stand-in must not get wrong with it."""
    wire = [p for p in modules("tests/peers") if p.name not in ("story.py", "stage.py", "demo.py")]
    assert {"onec.py", "onec_base.py", "onec_orders.py", "onec_wire.py", "onec_xml.py", "odata.py", "soap.py"} <= {
        p.name for p in wire
    }
    for path in wire:
        for module, line in imports(path):
            assert module.partition(".")[0] not in ("adapters", "sync"), f"{path.name}:{line} imports {module}"


def named(path: Path) -> Iterator[tuple[int, str]]:
    """Vendors' names in identifiers and texts (not in comments) of a file, with their lines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        texts = [getattr(node, "id", ""), getattr(node, "attr", ""), getattr(node, "name", "")]
        if isinstance(node, ast.Constant):
            texts.append(node.value)
        for text in texts:
            for found in VENDORS.findall(text) if isinstance(text, str) else ():
                yield getattr(node, "lineno", 0), found.lower().replace("с", "c")


@pytest.mark.parametrize("path", modules("sync"), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_hub_names_no_vendor(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    allowed = {"1c"} if name in ONE_C else set()
    found = [(line, word) for line, word in named(path) if word not in allowed]
    assert found == []


def test_the_check_itself_sees_what_it_looks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.spec.test_floors.ROOT", tmp_path)
    path = tmp_path / "sync" / "model" / "x.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "def f():\n    from sync.hub.runtime import Hub\n    import sync.flow.take\n    from ..store import ids\n"
        "    return 'Bitrix24', onec_ut\n",
        encoding="utf-8",
    )
    assert {m for m, _ in imports(path)} == {"sync.hub.runtime", "sync.flow.take", "sync.store"}
    assert {place(m) for m, _ in imports(path)} == {"hub", "flow", "store"}
    assert [word for _, word in named(path)] == ["bitrix24", "onec_ut"]
    assert list(_circles({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == [["a", "b", "c"]]
    for text in ("a 1C base", "WooCommerce", "amoCRM", "из 1С", "tilda"):
        assert VENDORS.search(text), text
    for text in ("insalesman", "11c", "second", "0x1c2"):
        assert not VENDORS.search(text), text
