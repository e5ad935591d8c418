"""Makes the connection pool: asyncpg under SQLAlchemy, with limits on everything that could hang."""

from urllib.parse import urlsplit

from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

_SCHEMES = ("postgresql", "postgres")
_READ_ONLY = "25006"


class DatabaseUrlError(ValueError):
    """The URL is not one of PostgreSQL. Its text is left out: it may hold a password (rule 7)."""


def driver_url(url: str) -> str:
    """The public ``postgresql://…`` URL as SQLAlchemy wants it.

    Raises:
        DatabaseUrlError: when it is the URL of something else.
    """
    scheme, found, rest = url.partition("://")
    if not found or scheme not in _SCHEMES or not urlsplit(url).path.strip("/"):
        raise DatabaseUrlError("the database URL must look like postgresql://user:password@host:port/database")
    return f"postgresql+asyncpg://{rest}"


def make_engine(
    url: str,
    *,
    pool_size: int = 10,
    statement_timeout_s: float = 10,
    lock_timeout_s: float = 5,
    idle_timeout_s: float = 30,
    connect_timeout_s: float = 5,
    queue_timeout_s: float = 10,
    pooled: bool = True,
    json_as_text: bool = True,
) -> AsyncEngine:
    """The engine for :class:`~controller.db.unit_of_work.PostgresStore` and :class:`~controller.db.clock.SqlClock`.

    Connections go straight to PostgreSQL (or a pooler in session mode): advisory locks and prepared statements need it.
    Times in seconds. ``json_as_text``: our column types read JSON themselves, into what a table holds; SQLAlchemy's own
    inspection of a schema wants it read. ``idle_timeout_s`` ends a transaction, and its locks, that a hung controller
    left open. ``queue_timeout_s``: in line for a connection, within a lease; on a machine that is too busy five seconds
    made steps fail, which are then done again, so that it had more to do.
    """
    settings = {
        "application_name": "hostfence",
        "timezone": "UTC",
        "statement_timeout": _ms(statement_timeout_s),
        "lock_timeout": _ms(lock_timeout_s),
        "idle_in_transaction_session_timeout": _ms(idle_timeout_s),
        # What `guard` protects must be seen by the next statement, not by the transaction's first look.
        "default_transaction_isolation": "read committed",
        # An intent must survive a power cut before the command is sent (rules 8 and 9), whatever the server's default.
        "synchronous_commit": "on",
        # Thousands of tiny statements: compiling any of them costs more than it can win.
        "jit": "off",
    }
    pool = {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": queue_timeout_s, "pool_use_lifo": True}
    engine = create_async_engine(
        driver_url(url),
        json_deserializer=str if json_as_text else None,
        hide_parameters=True,  # parameters hold secrets; errors are logged
        connect_args={
            "timeout": connect_timeout_s,
            "command_timeout": statement_timeout_s + 2,  # the server first; this one for a dead network
            "server_settings": settings,
        },
        **(pool if pooled else {"poolclass": NullPool}),
    )
    event.listen(engine.sync_engine, "handle_error", _leave_a_server_that_takes_no_writes)
    return engine


def _leave_a_server_that_takes_no_writes(context: ExceptionContext) -> None:
    """After a failover behind one address the pool's connections may lead to a standby for ever: give them up."""
    original = context.original_exception
    cause = original.__cause__ or original
    if getattr(cause, "sqlstate", None) == _READ_ONLY:
        context.is_disconnect = True


def _ms(seconds: float) -> str:
    return str(round(seconds * 1000))
