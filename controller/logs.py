"""Structured logs, one line each on standard error; the one place where secrets are taken out of them (rule 7)."""

import logging
import re
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import structlog
from structlog.typing import Processor

_SECRET_NAME = re.compile(r"password|passwd|token|secret|authorization|credential", re.IGNORECASE)
_SECRET_TEXT = re.compile(r"(postgresql(?:\+\w+)?://[^:/@\s]*:)[^@\s]+(@)|(Bearer )\S+", re.IGNORECASE)
HIDDEN = "***"
_HTTP_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy")
_silent: ContextVar[bool] = ContextVar("http_silent", default=False)


def configure(*, as_json: bool = False, level: int = logging.INFO) -> None:
    """Set up structlog for the process. ``as_json`` for machines, otherwise lines for people.

    Libraries log through Python's own logging: from WARNING on, in the same form, so that no line of a JSON log is not
    JSON.
    """
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    begin: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    end: list[Processor] = [structlog.processors.format_exc_info, hide_secrets, renderer]
    structlog.configure(
        processors=[*begin, *end],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*begin, _name_the_logger],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *end],
        )
    )
    logging.root.handlers = [handler]
    logging.root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def _name_the_logger(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["logger"] = event["_record"].name
    return event


def hide_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide values under secret-looking names at any depth, and credentials inside texts (tracebacks too)."""
    for name, value in event.items():
        event[name] = _shown(name, value)
    return event


def _shown(name: object, value: Any) -> Any:
    if isinstance(name, str) and _SECRET_NAME.search(name):
        return HIDDEN
    match value:
        case str():
            return _SECRET_TEXT.sub(lambda m: f"{m[1] or m[3] or ''}{HIDDEN}{m[2] or ''}", value)
        case dict():
            return {key: _shown(key, one) for key, one in value.items()}
        case list() | tuple():
            return [_shown("", one) for one in value]
        case _:
            return value


@contextmanager
def quiet_http() -> Iterator[None]:
    """Drop what the HTTP libraries log in this task (and in tasks it starts) until the block ends.

    At DEBUG httpcore writes every response header (a Redfish session's ``X-Auth-Token``, a cookie, ``X-Description``
    where a management server repeats what it refuses), and httpx the URLs, of which a session's may be its token. A
    level set on those loggers could be set back by whoever debugs; a filter stays.
    """
    for name in _HTTP_LOGGERS:
        logging.getLogger(name).addFilter(_may_be_logged)  # a filter that is there already is not added again
    before = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(before)


def _may_be_logged(record: logging.LogRecord) -> bool:
    del record
    return not _silent.get()
