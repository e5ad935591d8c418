"""The in-memory store's counts for monitoring."""

from collections import Counter
from datetime import datetime

from controller.domain.figures import Counts
from controller.domain.incident import State
from controller.domain.model import DeliveryStatus, EffectStatus
from controller.domain.reasons import Reason
from tests.simulation.memory_tables import TxBase


class CountingTx(TxBase):
    async def counts(self, *, now: datetime, dead_since: datetime) -> Counts:
        t = self._t
        found = [t.incidents[incident_id] for incident_id in t.open_of_host.values()]
        held = [incident for incident in found if incident.state is State.HELD]
        leased = {incident.id for incident in found if incident.id in t.leases and t.leases[incident.id][1] > now}
        due = [i.next_step_at for i in found if i.id not in leased and i.next_step_at is not None]
        effects = [e for e in t.effects.values() if e.status is EffectStatus.INTENDED]
        told = [(d, t.notices[d.notice_id].at) for d in t.deliveries.values()]
        pending = [(d.channel, at) for d, at in told if d.status is DeliveryStatus.PENDING]
        return Counts(
            incidents=Counter(incident.state for incident in found),
            held=Counter(reason for incident in held for reason in incident.reasons),
            held_since=min((i.held_since for i in held if i.held_since is not None), default=None),
            storms=Counter(incident.cluster_id for incident in found if Reason.STORM in incident.sticky),
            due_since=min((at for at in due if at <= now), default=None),
            leased=len(leased),
            unfinished=sum(a.finished_at is None for a in t.attempts.values()),
            effects=Counter(effect.kind for effect in effects),
            effects_since=min((effect.intended_at for effect in effects), default=None),
            pending=Counter(channel for channel, _ in pending),
            pending_since=min((at for _, at in pending), default=None),
            dead=Counter(d.channel for d, at in told if d.status is DeliveryStatus.DEAD and at > dead_since),
        )
