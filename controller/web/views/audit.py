"""The audit in words: who did what when, to what, and what was stored with it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controller.domain.model import AuditRow

_IN_A_LINE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One change. ``actor`` empty: hostfence itself. ``facts``: what fits into a line; ``raw``: the rest, as JSON."""

    id: str
    at: datetime
    actor: str
    action: str
    words: str
    target: str
    facts: tuple[tuple[str, str], ...]
    raw: str


def audit_lines(rows: Iterable[AuditRow]) -> tuple[AuditLine, ...]:
    """In the order they come."""
    return tuple(_line(one) for one in rows)


def _line(row: AuditRow) -> AuditLine:
    short = {name: _short(value) for name, value in row.data.items()}
    long = {name: value for name, value in row.data.items() if short[name] is None}
    return AuditLine(
        id=row.id,
        at=row.at,
        actor="" if row.actor == "hostfence" else row.actor,
        action=row.action,
        words=row.action.replace(".", ": ", 1).replace("_", " "),
        target=row.target,
        facts=tuple((name.replace("_", " "), said) for name, said in short.items() if said),
        raw=json.dumps(long, indent=2, ensure_ascii=False, default=str) if long else "",
    )


def _short(value: Any) -> str | None:
    """What fits into a line: empty for nothing to say, None for what is too long."""
    if value in (None, "", [], {}):
        return ""
    match value:
        case bool():
            return "yes" if value else "no"
        case dict():
            return None
        case list():
            said = ", ".join(str(one) for one in value)
            return said if len(said) <= _IN_A_LINE and not any(isinstance(one, dict | list) for one in value) else None
        case _:
            said = str(value)
            return said if len(said) <= _IN_A_LINE * 3 else None
