"""Keeps the HTTP libraries' own log lines out of the logs while CloudStack is asked (rule 7).

At DEBUG httpcore writes every response header: a session's cookie, and ``X-Description``, where a management server
repeats what it refuses. A level set on those loggers could be set back by whoever debugs; a filter stays.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy")
_silent: ContextVar[bool] = ContextVar("cloudstack_silent", default=False)


@contextmanager
def quiet_http() -> Iterator[None]:
    """Drop what the HTTP libraries log in this task until the block ends."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_may_be_logged)  # a filter that is there already is not added again
    before = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(before)


def _may_be_logged(record: logging.LogRecord) -> bool:
    del record
    return not _silent.get()
