"""What a person sees before vouching that a host is off: one look, now, and what in it stands against the word.

Carries rule 1: the page that asks and the acknowledgement itself judge by the same look.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from controller.domain.evidence import Judgement, RoundFacts
from controller.domain.incident import Incident
from controller.domain.power import PowerReading, PowerState
from controller.domain.reasons import LIFE, Reason
from controller.services.errors import Refused
from controller.services.look import look, read_other_devices
from controller.services.rounds import judged
from controller.services.scene import Scene
from controller.services.world import World
from shared.enums import Reach

AGAINST_ACKNOWLEDGING = (
    Reason.AGENT_ANSWERS,
    Reason.HEARTBEAT_MOVES,
    Reason.CLOUD_HEARTBEAT_MOVES,
    Reason.CLOUD_SAW_RETURN,
    Reason.KERNEL_ANSWERS,
)
"""Never overruled by anybody; a disk that moves alone may be, by a second admin."""

DISKS_MOVE = "disks_move"
"""The code of the one refusal that a second admin may overrule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEvidence:
    """One look at the host of an incident. ``devices``: the one in use first; None where none is configured.

    ``refused_to``: whose acknowledgement of this incident was refused before.
    """

    facts: RoundFacts
    judgement: Judgement
    devices: tuple[PowerReading | None, ...]
    refused_to: tuple[str, ...] = ()

    @property
    def at(self) -> datetime:
        """When the last answer was in."""
        return self.facts.at

    def second_for(self, actor: str) -> bool:
        """A second admin is another person: somebody else's acknowledgement was refused before."""
        return any(name != actor for name in self.refused_to)

    def against(self, *, second_admin: bool) -> Refused | None:
        """Why nobody may vouch; None when nothing stands against it."""
        against = [r for r in self.judgement.reasons if r in AGAINST_ACKNOWLEDGING]
        # A verdict of *alive* names the signs of life alone: beside a disk that moves the kernel would go unmentioned.
        if Reach.KERNEL_ANSWERS in self._reaches() and Reason.KERNEL_ANSWERS not in against:
            against.append(Reason.KERNEL_ANSWERS)
        if any(reading is not None and reading.state is PowerState.ON for reading in self.devices):
            return Refused("a power device says on: a host with power is not off", code="power_is_on", reasons=against)
        if against:
            detail = "the host shows signs of life right now; nobody can vouch that it is off"
            return Refused(detail, code="signs_of_life", reasons=against)
        moving = [r for r in self.judgement.reasons if r in LIFE]
        if moving and not second_admin:
            detail = "its disks still move; only a second admin, another person than the first, may vouch against that"
            return Refused(detail, code=DISKS_MOVE, reasons=moving)
        return None

    def _reaches(self) -> Iterable[Reach]:
        return {self.facts.own_reach, *(r.reach for r in self.facts.reports if r.failure is None)}


async def look_live(
    world: World, scene: Scene, incident: Incident, *, refused_to: tuple[str, ...] = ()
) -> LiveEvidence:
    """Look now, at everything; nothing is stored."""
    facts = await look(world, scene, incident)
    devices = (facts.power, *await read_other_devices(world, scene))
    return LiveEvidence(
        facts=facts, judgement=judged(incident, facts, scene.policy), devices=devices, refused_to=refused_to
    )
