"""What people and reports may ask of incidents and power. The composition root brings the implementation."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from controller.domain.incident import Incident, Source
from controller.domain.model import Attempt, Health
from controller.domain.power import PowerAction, PowerReading
from controller.domain.reasons import Reason
from controller.services.live_evidence import LiveEvidence


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportResult:
    """What a report led to: a new incident, the one that was open already, or none and ``why_not``."""

    incident: Incident | None
    opened: bool
    why_not: Reason | None = None


class Operations(Protocol):
    """Every method raises a :class:`controller.services.errors.ServiceError` when it can't or won't."""

    async def report_disconnect(
        self, host_id: str, *, at: datetime | None, source: Source, actor: str, note: str
    ) -> ReportResult:
        """Somebody says the host is gone, since ``at`` (None: now). Saying it again changes nothing."""
        ...

    async def report_reconnect(self, host_id: str, *, actor: str) -> Incident | None:
        """Somebody says the host is back: a reason to look, never a proof. The open incident, if there is one."""
        ...

    async def acknowledge(
        self, incident_id: str, *, host_name: str, reason: str, actor: str, second_admin: bool = False
    ) -> Incident:
        """A person vouches that the host is off. Refused against signs of life."""
        ...

    async def live_evidence(self, incident_id: str) -> LiveEvidence:
        """Look at the host of an incident now, as an acknowledgement would; nothing is stored or concluded."""
        ...

    async def cancel(self, incident_id: str, *, reason: str, actor: str) -> Incident:
        """End the incident without action; refused once a command may have been sent."""
        ...

    async def retry(self, incident_id: str, *, reason: str, actor: str) -> Incident:
        """Take a held incident up again: checking from zero, or reading states where a command may have been sent."""
        ...

    async def power(
        self, host_id: str, *, action: PowerAction, reason: str, actor: str, force: bool, device: int = 1
    ) -> Attempt:
        """A person's own power command. Signs of life refuse off and reboot unless forced; never releases anything.

        ``device``: which of the host's power devices, counted from 1.
        """
        ...

    async def power_status(self, host_id: str, *, device: int = 1) -> PowerReading:
        """Read the power state once, now."""
        ...

    async def rearm(self, host_id: str, *, reason: str, actor: str) -> Health:
        """Let the next silence of this host open an incident although it was not seen healthy since the last."""
        ...
