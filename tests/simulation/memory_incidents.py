"""The in-memory store's incidents, timeline, rounds, attempts and effects."""

import sys
from collections.abc import Collection, Iterable
from dataclasses import fields, replace
from datetime import datetime

from controller.db.store import LastInLine, StoreError
from controller.domain.incident import Incident, IncidentBrief, State
from controller.domain.model import Attempt, Effect, EffectStatus, Event, RoundRecord, RoundRun
from tests.simulation.memory_tables import TxBase


class IncidentTx(TxBase):
    async def claim_due(
        self, *, now: datetime, lease_until: datetime, token: str, limit: int, behind: LastInLine | None = None
    ) -> list[Incident]:
        t = self._t
        due: list[tuple[datetime, str, Incident]] = []
        for incident_id in t.open_of_host.values():
            found = t.incidents[incident_id]
            if found.next_step_at is None or found.next_step_at > now:
                continue
            lease = t.leases.get(incident_id)
            free_since = max(found.next_step_at, lease[1]) if lease is not None else found.next_step_at
            others_first = behind is not None and found.cluster_id in behind.clusters
            if free_since <= (behind.since if behind is not None and others_first else now):
                due.append((found.next_step_at, incident_id, found))
        due.sort(key=lambda row: row[:2])
        claimed = [row[2] for row in due[:limit]]
        for found in claimed:
            self._put(t.leases, found.id, (token, lease_until))
        return claimed

    async def incident_for_update(self, incident_id: str, *, token: str | None) -> Incident | None:
        t = self._t
        if token is not None and not self._leased(incident_id, token):
            return None
        return t.incidents.get(incident_id)

    async def extend_lease(self, incident_id: str, *, token: str, lease_until: datetime) -> bool:
        t = self._t
        if not self._leased(incident_id, token):
            return False
        _, before = t.leases[incident_id]
        self._put(t.leases, incident_id, (token, max(before, lease_until)))
        return True

    def _leased(self, incident_id: str, token: str) -> bool:
        lease = self._t.leases.get(incident_id)
        return lease is not None and lease[0] == token

    async def save_incident(self, incident: Incident, *, end_lease: bool) -> None:
        t = self._t
        if incident.id not in t.incidents:
            raise StoreError(f"no incident {incident.id}")
        held_by = t.open_of_host.get(incident.host_id)
        if incident.open and held_by not in (None, incident.id):
            self._refuse("host_id", "the host has another open incident")
        self._put(t.incidents, incident.id, incident)
        self.written.append(incident)
        if incident.open:
            self._put(t.open_of_host, incident.host_id, incident.id)
        elif held_by == incident.id:
            self._drop(t.open_of_host, incident.host_id)
        if end_lease:
            self._drop(t.leases, incident.id)

    async def open_incident(self, incident: Incident) -> bool:
        t = self._t
        if incident.host_id not in t.hosts:
            self._refuse("host_id", f"no host {incident.host_id}")
        if incident.host_id in t.open_of_host:
            return False
        if incident.id in t.incidents:
            self._refuse("id", "an incident with this id exists")
        self._put(t.incidents, incident.id, incident)
        self._put(t.open_of_host, incident.host_id, incident.id)
        self.written.append(incident)
        return True

    async def incident(self, incident_id: str) -> Incident | None:
        return self._t.incidents.get(incident_id)

    async def open_incidents(self) -> list[Incident]:
        t = self._t
        found = [t.incidents[incident_id] for incident_id in t.open_of_host.values()]
        return sorted(found, key=lambda i: (i.opened_at, i.id))

    async def open_incident_of(self, host_id: str) -> Incident | None:
        t = self._t
        return t.incidents.get(t.open_of_host.get(host_id, ""))

    async def open_hosts(self, *, cluster_id: str | None = None) -> frozenset[str]:
        t = self._t
        return frozenset(host_id for host_id in t.open_of_host if cluster_id in (None, t.hosts[host_id].cluster_id))

    async def briefs(self, cluster_id: str, *, since: datetime) -> list[IncidentBrief]:
        found = [
            IncidentBrief(**{name.name: getattr(i, name.name) for name in fields(IncidentBrief)})
            for i in self._t.incidents.values()
            if i.cluster_id == cluster_id and (i.closed_at is None or i.closed_at >= since)
        ]
        return sorted(found, key=lambda i: (i.opened_at, i.id))

    async def incidents(
        self,
        *,
        host_id: str | None = None,
        cluster_id: str | None = None,
        opened_before: datetime | None = None,
        states: Collection[State] | None = None,
        limit: int = 50,
    ) -> list[Incident]:
        found = [
            i
            for i in self._t.incidents.values()
            if (host_id is None or i.host_id == host_id)
            and (cluster_id is None or i.cluster_id == cluster_id)
            and (opened_before is None or i.opened_at < opened_before)
            and (states is None or i.state in states)
        ]
        return sorted(found, key=lambda i: (i.opened_at, i.id), reverse=True)[:limit]

    async def add_event(self, event: Event) -> None:
        t = self._t
        self._need_incident(event.incident_id)
        if event.id in t.event_ids:
            self._refuse("id", "an event with this id exists")
        self._put(t.event_ids, event.id, None)
        self._append(t.events.setdefault(event.incident_id, []), event)
        self.written.append(event)

    async def events(self, incident_id: str) -> list[Event]:
        return sorted(self._t.events.get(incident_id, ()), key=lambda e: e.at)

    async def add_round(self, record: RoundRecord) -> None:
        t = self._t
        self._need_incident(record.incident_id)
        kept = t.rounds.setdefault(record.incident_id, {})
        if record.number in kept:
            self._refuse("number", "a round with this number exists")
        self._put(kept, record.number, record)
        self.written.append(record)

    async def rounds(self, incident_id: str, *, limit: int = 200) -> list[RoundRecord]:
        kept = self._t.rounds.get(incident_id, {})
        newest = sorted(kept, reverse=True)[:limit]
        return [kept[number] for number in reversed(newest)]

    async def round_runs(self, incident_id: str) -> list[RoundRun]:
        runs: list[RoundRun] = []
        for one in await self.rounds(incident_id, limit=sys.maxsize):
            if runs and (runs[-1].verdict, runs[-1].reasons) == (one.verdict, one.reasons):
                runs[-1] = replace(runs[-1], last=one.number, last_at=one.at, counted=one.counted)
            else:
                runs.append(
                    RoundRun(
                        first=one.number,
                        last=one.number,
                        first_at=one.at,
                        last_at=one.at,
                        verdict=one.verdict,
                        reasons=one.reasons,
                        counted=one.counted,
                    )
                )
        return runs

    async def rounds_numbered(self, incident_id: str, numbers: Collection[int]) -> list[RoundRecord]:
        kept = self._t.rounds.get(incident_id, {})
        return [kept[number] for number in sorted(kept) if number in numbers]

    def _need_incident(self, incident_id: str | None) -> None:
        if incident_id is not None and incident_id not in self._t.incidents:
            self._refuse("incident_id", f"no incident {incident_id}")

    # -- acting
    async def guard(self) -> None:
        """Nothing to do: all transactions of this store are serialised."""
        _ = self._t

    async def add_attempt(self, attempt: Attempt) -> None:
        t = self._t
        self._need_incident(attempt.incident_id)
        if attempt.id in t.attempts:
            self._refuse("id", "an attempt with this id exists")
        self._put(t.attempts, attempt.id, attempt)
        self.written.append(attempt)

    async def save_attempt(self, attempt: Attempt) -> None:
        t = self._t
        if attempt.id not in t.attempts:
            raise StoreError(f"no attempt {attempt.id}")
        self._put(t.attempts, attempt.id, attempt)
        self.written.append(attempt)

    async def attempt(self, attempt_id: str) -> Attempt | None:
        return self._t.attempts.get(attempt_id)

    async def attempts_of(self, incident_id: str) -> list[Attempt]:
        return _by_intent(a for a in self._t.attempts.values() if a.incident_id == incident_id)

    async def attempts_since(self, since: datetime) -> list[Attempt]:
        return _by_intent(a for a in self._t.attempts.values() if a.intended_at > since)

    async def attempts_unfinished(self) -> list[Attempt]:
        return _by_intent(a for a in self._t.attempts.values() if a.finished_at is None)

    async def add_effect(self, effect: Effect) -> None:
        t = self._t
        self._need_incident(effect.incident_id)
        if effect.id in t.effects:
            self._refuse("id", "an effect with this id exists")
        self._keep_effect(effect)

    async def save_effect(self, effect: Effect) -> None:
        if effect.id not in self._t.effects:
            raise StoreError(f"no effect {effect.id}")
        self._keep_effect(effect)

    def _keep_effect(self, effect: Effect) -> None:
        t = self._t
        self._put(t.effects, effect.id, effect)
        self.written.append(effect)
        if effect.status is EffectStatus.INTENDED:
            self._put(t.effects_waiting, effect.id, None)
        else:
            self._drop(t.effects_waiting, effect.id)

    async def effects_due(self, *, now: datetime, limit: int) -> list[Effect]:
        t = self._t
        due = [
            (effect.next_try_at, effect.id)
            for effect in map(t.effects.__getitem__, t.effects_waiting)
            if effect.next_try_at is not None and effect.next_try_at <= now
        ]
        return [t.effects[effect_id] for _, effect_id in sorted(due)[:limit]]

    async def effects_of(self, *, host_id: str) -> list[Effect]:
        found = [e for e in self._t.effects.values() if e.host_id == host_id]
        return sorted(found, key=lambda e: e.intended_at)


def _by_intent(found: Iterable[Attempt]) -> list[Attempt]:
    return sorted(found, key=lambda a: a.intended_at)
