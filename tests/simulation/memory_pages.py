"""The in-memory store's people, sessions, and marks of what changed."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from controller.domain.marks import Mark, Marked
from controller.domain.model import ApiToken, EffectStatus, Level
from controller.domain.sign_in import Session, User
from tests.simulation.memory_tables import TxBase


class PagesTx(TxBase):
    async def users(self) -> list[User]:
        return sorted(self._t.users.values(), key=lambda user: user.name)

    async def user(self, user_id: str) -> User | None:
        return self._t.users.get(user_id)

    async def user_by_name(self, name: str) -> User | None:
        return next((user for user in self._t.users.values() if user.name == name), None)

    async def save_user(self, user: User) -> None:
        t = self._t
        if any(other.id != user.id and other.name == user.name for other in t.users.values()):
            self._refuse("name", f"name {user.name!r} is taken")
        self._put(t.users, user.id, user)

    async def token(self, token_id: str) -> ApiToken | None:
        return self._t.tokens.get(token_id)

    async def add_session(self, session: Session) -> None:
        t = self._t
        if session.user_id is not None and session.user_id not in t.users:
            self._refuse("user_id", f"no user {session.user_id}")
        if session.token_id is not None and session.token_id not in t.tokens:
            self._refuse("token_id", f"no token {session.token_id}")
        self._put(t.sessions, session.id, session)

    async def session_by_digest(self, digest: str) -> Session | None:
        return next((one for one in self._t.sessions.values() if one.digest == digest), None)

    async def sessions(self, *, user_id: str | None = None, token_id: str | None = None) -> list[Session]:
        found = [
            one
            for one in self._t.sessions.values()
            if user_id in (None, one.user_id) and token_id in (None, one.token_id)
        ]
        return sorted(sorted(found, key=lambda one: one.id), key=lambda one: one.created_at, reverse=True)

    async def touch_session(self, session_id: str, *, seen_at: datetime) -> None:
        t = self._t
        if session_id in t.sessions:
            self._put(t.sessions, session_id, _seen(t.sessions[session_id], seen_at))

    async def delete_session(self, session_id: str) -> bool:
        there = session_id in self._t.sessions
        self._drop(self._t.sessions, session_id)
        return there

    async def delete_sessions(self, *, user_id: str | None = None, token_id: str | None = None) -> int:
        return self._delete(
            one
            for one in self._t.sessions.values()
            if (user_id is not None and one.user_id == user_id) or (token_id is not None and one.token_id == token_id)
        )

    async def delete_sessions_over(self, *, now: datetime, idle_since: datetime) -> int:
        return self._delete(
            one for one in self._t.sessions.values() if one.expires_at <= now or one.seen_at <= idle_since
        )

    def _delete(self, which: Iterator[Session]) -> int:
        found = [one.id for one in which]
        for session_id in found:
            self._drop(self._t.sessions, session_id)
        return len(found)

    async def marks(self) -> list[Mark]:
        return list(self._marks())

    def _marks(self) -> Iterator[Mark]:
        t = self._t
        for incident_id in t.open_of_host.values():
            one = t.incidents[incident_id]
            version = _version(one, t.leases.get(one.id))
            yield _mark(Marked.INCIDENT, one, version, incident=one.id, host=one.host_id, cluster=one.cluster_id)
        newest = max(t.attempts.values(), key=lambda attempt: attempt.intended_at, default=None)
        for attempt in t.attempts.values():
            if attempt.finished_at is None or attempt is newest:
                yield _mark(
                    Marked.ATTEMPT,
                    attempt,
                    incident=attempt.incident_id,
                    host=attempt.host_id,
                    cluster=attempt.cluster_id,
                )
        for effect in t.effects.values():
            if effect.status is EffectStatus.INTENDED:
                yield _mark(Marked.EFFECT, effect, incident=effect.incident_id, host=effect.host_id)
        for delivery_id in t.deliveries_waiting:
            delivery = t.deliveries[delivery_id]
            yield _mark(Marked.DELIVERY, delivery, incident=t.notices[delivery.notice_id].incident_id)
        for pause in t.pauses.values():
            if pause.lifted_at is None:
                host = pause.owner_id if pause.level is Level.HOST else None
                yield _mark(
                    Marked.PAUSE, pause, host=host, cluster=pause.owner_id if pause.level is Level.CLUSTER else None
                )
        yield from self._inventory_marks()

    def _inventory_marks(self) -> Iterator[Mark]:
        t = self._t
        for cluster in t.clusters.values():
            yield _mark(Marked.CLUSTER, cluster, cluster=cluster.id)
            if hosts := [host for host in t.hosts.values() if host.cluster_id == cluster.id]:
                yield _mark(
                    Marked.HOSTS, cluster, _version(sorted(hosts, key=lambda host: host.id)), cluster=cluster.id
                )
        for report in t.cloud_report.values():
            yield Mark(kind=Marked.CLOUD, id="", version=_version(report))
        for row in sorted(t.audit.values(), key=lambda row: (row.at, row.id))[-1:]:
            yield _mark(Marked.AUDIT, row)
        for notice in sorted(t.notices.values(), key=lambda notice: (notice.at, notice.id))[-1:]:
            yield _mark(Marked.NOTICE, notice, incident=notice.incident_id, host=notice.host_id)


def _mark(
    kind: Marked,
    row: Any,
    version: str = "",
    *,
    incident: str | None = None,
    host: str | None = None,
    cluster: str | None = None,
) -> Mark:
    return Mark(
        kind=kind,
        id=row.id,
        version=version or _version(row),
        incident_id=incident or "",
        host_id=host or "",
        cluster_id=cluster or "",
    )


def _version(*values: object) -> str:
    return hashlib.sha256(repr(values).encode("utf-8", "surrogatepass")).hexdigest()


def _seen(session: Session, seen_at: datetime) -> Session:
    return replace(session, seen_at=seen_at)
