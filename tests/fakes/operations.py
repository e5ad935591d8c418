"""Stands in for the engine where only the API or the pages are tested: refuses everything but a Test of a device whose
answer the test has put there, and notes what it was asked."""

from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from controller.domain.incident import Incident, Source
from controller.domain.model import Attempt, Health
from controller.domain.power import Accepted, PowerAction, PowerCode, PowerReading, PowerState
from controller.domain.reasons import Reason
from controller.services.errors import Refused
from controller.services.live_evidence import LiveEvidence
from controller.services.operations import ReportResult
from tests.fixtures import builders as a


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeDevice:
    """What a host's device answers to Test, and how it says its power is."""

    accepted: Accepted = Accepted.YES
    code: PowerCode = PowerCode.NONE
    said: str = ""
    state: PowerState = PowerState.ON


class RefusingOperations:
    """Implements :class:`controller.services.operations.Operations`. Claims no power change."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.devices: dict[str, FakeDevice] = {}

    async def report_disconnect(
        self, host_id: str, *, at: datetime | None, source: Source, actor: str, note: str
    ) -> ReportResult:
        self.asked.append(("report_disconnect", host_id, at, source, actor, note))
        return ReportResult(incident=None, opened=False, why_not=Reason.MAINTENANCE)

    async def report_reconnect(self, host_id: str, *, actor: str) -> Incident | None:
        self.asked.append(("report_reconnect", host_id, actor))
        return None

    async def acknowledge(
        self, incident_id: str, *, host_name: str, reason: str, actor: str, second_admin: bool = False
    ) -> Incident:
        self._refuse("acknowledge", incident_id, host_name, reason, actor, second_admin)

    async def live_evidence(self, incident_id: str) -> LiveEvidence:
        self._refuse("live_evidence", incident_id)

    async def cancel(self, incident_id: str, *, reason: str, actor: str) -> Incident:
        self._refuse("cancel", incident_id, reason, actor)

    async def retry(self, incident_id: str, *, reason: str, actor: str) -> Incident:
        self._refuse("retry", incident_id, reason, actor)

    async def power(
        self, host_id: str, *, action: PowerAction, reason: str, actor: str, force: bool, device: int = 1
    ) -> Attempt:
        known = self.devices.get(host_id)
        if known is None or action is not PowerAction.TEST:
            self._refuse("power", host_id, action, reason, actor, force, device)
        return a.attempt("test", action=action, accepted=known.accepted, code=known.code, said=known.said)

    async def power_status(self, host_id: str, *, device: int = 1) -> PowerReading:
        known = self.devices.get(host_id)
        if known is None:
            self._refuse("power_status", host_id, device)
        return PowerReading(state=known.state, said=known.said)

    async def rearm(self, host_id: str, *, reason: str, actor: str) -> Health:
        self._refuse("rearm", host_id, reason, actor)

    def _refuse(self, *asked: object) -> NoReturn:
        self.asked.append(asked)
        raise Refused("there is life", code="life_since", reasons=[Reason.AGENT_ANSWERS, Reason.LIFE_SINCE])
