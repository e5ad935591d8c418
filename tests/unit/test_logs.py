"""Rule 7, for logs: secrets are taken out in one place."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from controller.logs import HIDDEN, configure, hide_secrets


def hidden(**event: Any) -> dict[str, Any]:
    return dict(hide_secrets(None, "info", event))


@pytest.mark.parametrize(
    "name", ["password", "ipmi.password", "agent_token", "Authorization", "smtp_passwd", "client_secret", "credentials"]
)
def test_values_under_secret_names_are_hidden(name: str) -> None:
    assert hidden(**{name: "Calvin"}) == {name: HIDDEN}


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://hostfence:Calvin@db:5432/hostfence",
        "cannot connect to postgresql+asyncpg://hostfence:Calvin@db/hostfence",
        "postgresql://:Calvin@db/hostfence",
        "Authorization: Bearer Calvin",
        "authorization: bearer Calvin",
    ],
)
def test_credentials_inside_texts_are_hidden(text: str) -> None:
    told = hidden(event=text)["event"]
    assert "Calvin" not in told
    assert HIDDEN in told


def test_nested_values_are_looked_into() -> None:
    told = hidden(request={"headers": {"Authorization": "Bearer Calvin"}, "tries": [{"password": "Calvin"}, "x"]})
    assert "Calvin" not in str(told)
    assert told["request"]["tries"][1] == "x"


def test_everything_else_is_left_as_it_is() -> None:
    event = {"event": "incident opened", "host": "h1", "count": 3, "state": None, "url": "http://h1:8441/v1/watch"}
    assert hidden(**event) == event


@pytest.fixture
def configured() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_gives_nothing_away(capsys: pytest.CaptureFixture[str], *, as_json: bool) -> None:
    configure(as_json=as_json, level=logging.INFO)
    password = "Calvin"
    try:
        int(f"postgresql://hostfence:{password}@db/hostfence")
    except ValueError:
        structlog.get_logger().exception("it failed", token=password)
    told = capsys.readouterr().err
    assert "ValueError" in told
    assert password not in told
    if as_json:
        assert json.loads(told)["event"] == "it failed"
