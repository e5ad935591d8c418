"""Rule 7, for logs: secrets are taken out in one place."""

import json
import logging
import warnings
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
    before, handlers, level = structlog.get_config(), logging.root.handlers, logging.root.level
    yield
    structlog.configure(**before)
    logging.captureWarnings(capture=False)
    logging.root.handlers = handlers
    logging.root.setLevel(level)


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


@pytest.mark.usefixtures("configured")
def test_what_libraries_log_is_json_too_without_secrets_and_without_chatter(capsys: pytest.CaptureFixture[str]) -> None:
    configure(as_json=True)
    library = logging.getLogger("httpx")
    library.info("HTTP Request: GET https://h1:8441/v1/watch")
    with structlog.contextvars.bound_contextvars(incident_id="i1"):
        library.warning("cannot reach %s", "postgresql://hostfence:Calvin@db/hostfence")
    try:
        int("Calvin says Bearer Calvin")
    except ValueError:
        library.exception("failed")
    warnings.simplefilter("always")  # pytest puts it back
    warnings.warn("soon gone", DeprecationWarning, stacklevel=1)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["level"] for line in lines] == ["warning", "error", "warning"]
    assert lines[0]["event"] == f"cannot reach postgresql://hostfence:{HIDDEN}@db/hostfence"
    assert (lines[0]["logger"], lines[0]["incident_id"]) == ("httpx", "i1")
    assert "ValueError" in lines[1]["exception"]
    assert "Bearer Calvin" not in lines[1]["exception"]
    assert "soon gone" in lines[2]["event"]
    assert all(line["timestamp"] for line in lines)
