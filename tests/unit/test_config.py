"""The configuration file: strict, with the line of what is wrong, and with no secret in any text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from adapters.base import AdapterSettings
from sync import config
from sync.config import Config
from sync.errors import BadConfig

SECRET = "canary-7Q-secret"
GOOD = """\
[hub]
language = "en"
spool = "files"

[connections.shop]
adapter = "woocommerce"
key = "${SHOP_KEY}"
secret = "file:shop.secret"
every = "5m"

[connections.crm]
adapter = "memory"
role = "crm"

[[flow]]
kind = "deal"
from = "shop"
to = "crm"
create = "always"

[[flow]]
kind = "deal"
from = "crm"
to = "shop"
create = { field = "amount", op = "gt", value = 100 }

[owners]
"deal.stage" = "crm"
"deal.title" = "connection:shop"
"contact.name" = "prefer:crm"
"""


def load(tmp_path: Path, text: str, **environ: str) -> Config:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return config.load(path, {"SHOP_KEY": SECRET, **environ})


def refused(tmp_path: Path, text: str, **environ: str) -> BadConfig:
    with pytest.raises(BadConfig) as caught:
        load(tmp_path, text, **environ)
    error = caught.value
    for said in (str(error), error.text.ru, repr(error), str(error.remedy)):
        assert SECRET not in said
    return error


def test_a_whole_file(tmp_path: Path) -> None:
    (tmp_path / "shop.secret").write_text("s3cret\nsecond line\n", encoding="utf-8")
    found = load(tmp_path, GOOD)
    shop = found.connections["shop"]
    assert shop.settings == {"key": SECRET, "secret": "s3cret"}
    assert (shop.every, shop.recheck, shop.enabled, shop.role) == (300, 86400, True, None)
    assert found.hub.spool == tmp_path / "files"
    assert found.hub.database == f"sqlite:///{tmp_path}/var/sverka.db"
    assert [(f.source, f.target) for f in found.flows] == [("shop", "crm"), ("crm", "shop")]
    assert found.pipeline().name == "main"
    assert found.pipeline("nowhere") is found.pipelines[0]


def test_an_empty_file_is_a_hub_without_connections(tmp_path: Path) -> None:
    found = load(tmp_path, "")
    assert (found.connections, found.flows, found.hub.language) == ({}, (), "ru")


@pytest.mark.parametrize(
    ("text", "line", "key", "hint"),
    [
        ("[hub]\nlanguge = 'en'\n", 2, "hub.languge", "language"),
        ("[hub]\n\n[web]\n# port = 1\nprot = 8080\n", 5, "web.prot", "port"),
        ("[hubb]\nlanguage = 'en'\n", 1, "hubb", "hub"),
        (GOOD + '\n[[flow]]\nkind = "deal"\nfrm = "shop"\nto = "crm"\n', 34, "flow.2.frm", "from"),
        (GOOD.replace('to = "crm"', 'to = "crn"'), 18, "flow[0].to", "crm"),
        (GOOD.replace('from = "crm"', 'from = "cmr"'), 23, "flow[1].from", "crm"),
        (GOOD.replace('"crm"\n"deal.title"', '"cmr"\n"deal.title"'), 28, "owners.deal.stage", "crm"),
        (GOOD + '[notices]\nvia = "shoop"\n', 32, "notices.via", "shop"),
    ],
    ids=lambda v: str(v)[:20] if not str(v).startswith("[") else "",
)
def test_unknown_names_get_a_suggestion(tmp_path: Path, text: str, line: int, key: str, hint: str) -> None:
    (tmp_path / "shop.secret").write_text("s3cret", encoding="utf-8")
    error = refused(tmp_path, text)
    assert error.setting == key
    assert f"line {line} " in str(error)
    assert f"строка {line} " in error.text.ru
    assert f"did you mean {hint!r}" in str(error)


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("[connections.shop]\nadapter = 'memory'\nevery = '5 minutes'\n", 3, "connections.shop.every"),
        ("[connections.shop]\nadapter = 'memory'\nevery = 0\n", 3, "connections.shop.every"),
        ("[connections.shop]\nadapter = 'memory'\nevery = true\n", 3, "connections.shop.every"),
        ("[connections.shop]\nadapter = 'memory'\nevery = '-5m'\n", 3, "connections.shop.every"),
        ("[connections.a]\nadapter = 'memory'\n[connections.b]\nadapter='memory'\nrate = 0\n", 5, "connections.b.rate"),
        ("[connections.shop]\nrole = 'shop'\n", 1, "connections.shop.adapter"),
        ("[connections.shop]\nadapter = 'memory'\nrole = 'store'\n", 3, "connections.shop.role"),
        ("[connections.shop]\nadapter = 'memory'\nprefix = 'ABCDE'\n", 3, "connections.shop.prefix"),
        ("[connections.Shop]\nadapter = 'memory'\n", 1, "connections.Shop"),
        ("[connections]\nshop = 1\n", 2, "connections.shop"),
        ("[hub]\ncountry = 'Russia'\n", 2, "hub.country"),
        ("[web]\nport = 99999\n", 2, "web.port"),
        ("[[flow]]\nkind = 'order'\nfrom = 'a'\nto = 'b'\n", 2, "flow.0.kind"),
        ("[hub]\nlanguage = \n", 2, ""),
        ("[hub]\nlanguage = 'en'\n[hub]\n", 3, ""),
    ],
)
def test_the_line_of_a_wrong_value(tmp_path: Path, text: str, line: int, key: str) -> None:
    error = refused(tmp_path, text)
    assert error.setting == key
    assert f"line {line}" in str(error)
    assert error.code == "config.value"


def test_the_line_within_the_second_pipeline(tmp_path: Path) -> None:
    pipeline = '[[pipeline]]\nname = "{}"\n[[pipeline.stages]]\nname = "new"\ntitle = "New"\nsemantic = "{}"\n'
    error = refused(tmp_path, pipeline.format("one", "open") + pipeline.format("two", "closed"))
    assert (error.setting, "line 12" in str(error)) == ("pipeline.1.stages.0.semantic", True)


def test_facts_lead_to_known_stages(tmp_path: Path) -> None:
    text = '[[pipeline]]\nname = "p"\nstages = [{ name = "new", title = "New" }]\nfacts = { paid = "payed" }\n'
    error = refused(tmp_path, text)
    assert error.setting == "pipeline.p.facts.paid"
    error = refused(tmp_path, text.replace("paid =", "payed ="))
    assert "did you mean 'paid'" in str(error)


@pytest.mark.parametrize(
    ("value", "expected"), [(5, 5), ("30s", 30), ("5m", 300), ("1 h", 3600), ("2d", 172800), (" 7s ", 7)]
)
def test_intervals(value: Any, expected: int) -> None:
    assert config.seconds(value) == expected


@pytest.mark.parametrize("value", [0, -1, True, "5", "m", "0s", "1.5h", "1w", "", None, [5], 2.0])
def test_no_intervals(value: Any) -> None:
    with pytest.raises(ValueError, match="an interval is written"):
        config.seconds(value)


def test_the_environment(tmp_path: Path) -> None:
    text = "[connections.shop]\nadapter = 'memory'\nkey = 'a-${ONE}-${TWO}'\nrate = '${RATE}'\ntags = ['${ONE}']\n"
    found = load(tmp_path, text, ONE="1", TWO="2", RATE="30").connections["shop"]
    assert (found.settings, found.rate) == ({"key": "a-1-2", "tags": ["1"]}, 30)
    error = refused(tmp_path, text, ONE="1", RATE=SECRET)
    assert "TWO is not set" in str(error)
    assert "line 3 " in str(error)
    error = refused(tmp_path, text, ONE="1", TWO="2", RATE=SECRET)
    assert (error.setting, "line 4" in str(error)) == ("connections.shop.rate", True)


def test_text_that_only_looks_like_a_variable_stays(tmp_path: Path) -> None:
    found = load(tmp_path, "[connections.shop]\nadapter = 'memory'\nkey = '$ONE ${1} {ONE}'\n")
    assert found.connections["shop"].settings == {"key": "$ONE ${1} {ONE}"}


def test_secrets_out_of_files(tmp_path: Path) -> None:
    text = "[connections.shop]\nadapter = 'memory'\nkey = 'file:key.txt'\n"
    assert "key.txt cannot be read" in str(refused(tmp_path, text))
    (tmp_path / "key.txt").write_bytes(b"\xff\xfe\x00")
    assert "line 3 " in str(refused(tmp_path, text))
    (tmp_path / "key.txt").write_text(f"  {SECRET} \nmore", encoding="utf-8")
    assert load(tmp_path, text).connections["shop"].settings == {"key": SECRET}
    (tmp_path / "key.txt").write_text("", encoding="utf-8")
    assert load(tmp_path, text).connections["shop"].settings == {"key": ""}


def test_secrets_are_in_no_repr(tmp_path: Path) -> None:
    text = (
        f"[hub]\ndatabase = 'postgresql://hub:{SECRET}@host/db'\n[web]\npassword = '{SECRET}'\n"
        f"[connections.shop]\nadapter = 'memory'\nkey = '{SECRET}'\n"
    )
    found = load(tmp_path, text)
    assert found.web.password is not None
    assert found.web.password.get_secret_value() == SECRET
    for shown in (found, found.hub, found.web, found.connections, found.connections["shop"]):
        assert SECRET not in repr(shown)
        assert SECRET not in str(shown)


class Settings(AdapterSettings):
    url: str
    secret: SecretStr | None = None
    page_size: int = 10


def settings_error(tmp_path: Path, keys: str, model: type[BaseModel] = Settings) -> BadConfig:
    found = load(tmp_path, f"[connections.shop]\nadapter = 'memory'\n{keys}")
    try:
        model.model_validate(found.connections["shop"].settings)
    except ValidationError as error:
        bad = config.settings_error(error, found, "shop", model)
        assert SECRET not in str(bad) + bad.text.ru
        return bad
    raise AssertionError("the settings were accepted")


def test_an_adapters_own_settings(tmp_path: Path) -> None:
    error = settings_error(tmp_path, "url = 'u'\npage_sise = 5\n")
    assert (error.setting, "line 4" in str(error)) == ("connections.shop.page_sise", True)
    assert "did you mean 'page_size'" in str(error)
    error = settings_error(tmp_path, f"url = 'u'\npage_size = '{SECRET}'\n")
    assert (error.setting, "line 4" in str(error)) == ("connections.shop.page_size", True)
    error = settings_error(tmp_path, "page_size = 5\n")
    assert error.setting == "connections.shop.url"
    assert "required" in str(error)


def test_a_mistyped_key_of_the_hub_itself_is_suggested_too(tmp_path: Path) -> None:
    assert "did you mean 'every'" in str(settings_error(tmp_path, "url = 'u'\nevry = '5m'\n"))
    assert "did you mean 'enabled'" in str(settings_error(tmp_path, "url = 'u'\nenabeld = false\n"))


def test_files_that_are_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="sverka init"):
        config.load(tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xd4\xe0\xe9\xeb\n")
    with pytest.raises(BadConfig, match="UTF-8"):
        config.load(tmp_path / "latin.toml")


def test_the_hub_stays_as_it_was_read(tmp_path: Path) -> None:
    found = load(tmp_path, "")
    with pytest.raises(ValidationError):
        found.hub.language = "en"  # type: ignore[misc]


def test_databases_keep_their_addresses(tmp_path: Path) -> None:
    for url in ("postgresql://host/db", "sqlite:////absolute/x.db", "sqlite:///:memory:"):
        assert load(tmp_path, f"[hub]\ndatabase = '{url}'\n").hub.database == url


STAGES = """
[[pipeline]]
name = "wholesale"
stages = [
  { name = "new", title = "Новый" },
  { name = "won", title = "Завершён", semantic = "won" },
]

[[pipeline]]
name = "main"
stages = [
  { name = "new", title = "Новый", next = ["packing", "lost"] },
  { name = "packing", title = "Сборка", next = ["won"] },
  { name = "won", title = "Завершён", semantic = "won" },
  { name = "lost", title = "Отменён", semantic = "lost" },
]
"""


def test_a_pipeline_with_listed_steps(tmp_path: Path) -> None:
    loaded = load(tmp_path, STAGES)
    assert [s.next for s in loaded.pipeline("main").stages] == [("packing", "lost"), ("won",), None, None]
    assert loaded.pipeline("wholesale").lost_reason == ""


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "text"),
    [
        ('"packing", "lost"]', '"pakcing", "lost"]', 12, "pipeline.main.stages.new", "did you mean 'packing'"),
        ('["packing", "lost"]', '["lost"]', 13, "pipeline.main.stages.packing", "no way leads there from 'new'"),
        ('next = ["won"]', "next = []", 13, "pipeline.main.stages.packing", "no way leads from it"),
        ('name = "packing"', 'name = "new"', 13, "pipeline.main.stages.new", "two stages of this name"),
        ('"main"', '"wholesale"', 10, "pipeline.wholesale", "two pipelines"),
        ('semantic = "lost" }', 'semantic = "lost", next = ["new"] }', 15, "pipeline.main.stages.lost", "people only"),
        (
            '{ name = "new", title = "Новый" },\n',
            '{ name = "new", title = "Новый", semantic = "won" },\n',
            5,
            "pipeline.wholesale.stages.new",
            "first stage must be open",
        ),
    ],
)
def test_a_graph_of_stages_that_cannot_be(tmp_path: Path, old: str, new: str, line: int, key: str, text: str) -> None:
    assert STAGES.count(old) == 1
    error = refused(tmp_path, STAGES.replace(old, new))
    assert error.setting == key
    assert f"line {line} " in str(error)
    assert text in str(error)
    assert f"строка {line} " in error.text.ru


@pytest.mark.parametrize(
    ("entry", "key", "hint"),
    [
        ('"deal.stagee" = "crm"', "owners.deal.stagee", "deal.stage"),
        ('"deel.stage" = "crm"', "owners.deel.stage", "deal.stage"),
        ('"deal.documents" = "crm"', "owners.deal.documents", ""),
        ('"deal.title" = "prefer:manual"', "owners.deal.title", ""),
        ('"deal.title" = "prefer:cmr"', "owners.deal.title", "prefer:crm"),
        ('"deal.title" = "connection:crn"', "owners.deal.title", "connection:crm"),
    ],
)
def test_owners_of_what_does_not_exist(tmp_path: Path, entry: str, key: str, hint: str) -> None:
    text = f"[connections.crm]\nadapter = 'memory'\n[owners]\n{entry}\n"
    error = refused(tmp_path, text)
    assert error.setting == key
    assert "line 4 " in str(error)
    assert f"did you mean {hint!r}" in str(error) if hint else "known" in str(error)
