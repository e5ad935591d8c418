"""Rules of the store's code that a reader could break without noticing."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from controller.db import migrate
from controller.db.engine import DatabaseUrlError, driver_url
from controller.db.mapping import Mapping
from controller.db.models import Base
from controller.db.repositories import access, acting, incidents, inventory, machines, outbox, settings
from controller.db.types import clean, json_text

DB = Path(migrate.__file__).parent
MIGRATIONS = DB.parents[1] / "migrations"

SQL_CLOCKS = re.compile(
    r"(?<!clock\.)(?<!datetime\.)"
    r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday|localtimestamp)\b *\("
    r"|\bcurrent_(time|date|timestamp)\b|func\.(now|current_(?!setting)\w+|clock_timestamp)|server_default|onupdate",
    re.IGNORECASE,
)
"""Anything by which a column or a statement would take the server's time (rule 12); ``clock.now()`` asks the port, and
``datetime.now`` is this machine's, which ruff forbids but where a comment says why."""


def sources() -> list[Path]:
    found = [*DB.rglob("*.py"), *MIGRATIONS.rglob("*.py"), *MIGRATIONS.glob("*.mako")]
    return sorted(path for path in found if path.name not in {"clock.py", "store.py"})


@pytest.mark.parametrize("path", sources(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_no_sql_reads_a_clock(path: Path) -> None:
    code = "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
    assert SQL_CLOCKS.findall(code) == []


@pytest.mark.parametrize("path", sorted((MIGRATIONS / "versions").glob("*.py")), ids=lambda path: path.name)
def test_every_migration_gives_up_waiting_for_a_lock(path: Path) -> None:
    assert "SET LOCAL lock_timeout" in path.read_text()


@pytest.mark.parametrize(
    ("mapping", "without"),
    [
        (incidents.EVENTS, set()),
        (incidents.ROUNDS, set()),
        (acting.ATTEMPTS, set()),
        (acting.EFFECTS, set()),
        (inventory.CLUSTERS, set()),
        (inventory.HOSTS, {"agent_token"}),
        (inventory.POOLS, set()),
        (inventory.HEALTHS, set()),
        (machines.VMS, {"disks"}),
        (machines.DISKS, set()),
        (settings.PAUSES, set()),
        (settings.CONTROLLERS, set()),
        (outbox.NOTICES, set()),
        (outbox.DELIVERIES, set()),
        (access.TOKENS, set()),
        (access.AUDIT, set()),
    ],
    ids=lambda value: getattr(getattr(value, "table", None), "name", ""),
)
def test_every_field_has_a_column_that_is_null_where_it_may_be_none(mapping: Mapping[Any], without: set[str]) -> None:
    for field in fields(mapping._entity):
        if field.name in without:
            continue
        column = mapping.c[field.name]
        assert column.nullable == ("None" in str(field.type)), f"{column} of {field.type}"


def test_constraints_are_named_so_that_a_conflict_can_name_the_field() -> None:
    for table in Base.metadata.tables.values():
        names = [c.name for c in table.constraints] + [i.name for i in table.indexes]
        for name in names:
            assert re.fullmatch(r"(pk|uq|fk|ck|ix)__[a-z_]+__[a-z_]+", str(name)), name


@pytest.mark.parametrize("url", ["", "mysql://u:p4ss@h/db", "postgresql://u:p4ss@h", "u:p4ss@h/db"])
def test_a_url_that_is_none_is_refused_without_showing_its_password(url: str) -> None:
    with pytest.raises(DatabaseUrlError) as caught:
        driver_url(url)
    assert "p4ss" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_the_public_url_is_plain(scheme: str) -> None:
    assert driver_url(f"{scheme}://u:p@h:1/db") == "postgresql+asyncpg://u:p@h:1/db"


def test_text_is_mended_only_where_it_must_be() -> None:
    assert clean("ünï 💾") == "ünï 💾"
    assert clean("a\x00b\udc80c").replace("\ufffd", "") == "abc"
    assert json_text({"ü\x00": ["\udcff", 1, None, ("x",)]}).encode()
    assert json_text({"a": "\\u0000 as text"}) == '{"a": "\\\\u0000 as text"}'
