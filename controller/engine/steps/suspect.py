"""SUSPECT: read the baseline, give the host its grace, then check.

The request's own comparison (newer than the disconnect?) is made here, on the storage server's clock; it can only
say *alive*.
"""

from dataclasses import replace

from controller.domain.decision import is_back
from controller.domain.incident import State
from controller.domain.reasons import Reason
from controller.engine.step import Step
from controller.services.look import look
from controller.services.rounds import baseline_life, judged, keep_round


async def run(step: Step) -> None:
    """One look: the baseline."""
    scene = await step.scene()
    facts = await look(step.world, scene, step.incident)
    async with step.change(scene) as claimed:
        incident, change = claimed.incident, claimed.change
        judgement = judged(incident, facts, scene.policy)
        incident = await keep_round(change, incident, facts, judgement, counts=False)
        back = is_back(judgement, incident=incident, cloud=facts.cloud)
        if back:
            claimed.incident = await change.move(incident, State.RECOVERED, reasons=back)
            return
        if baseline_life(facts, judgement, incident, scene.policy):
            await change.note(
                incident,
                "baseline",
                reasons=(Reason.DISKS_MOVE,),
                text="a disk was written after the disconnect",
            )
            incident = replace(incident, life_at=claimed.now)
        graced = incident.opened_at + scene.policy.grace
        incident = await change.move(incident, State.CHECKING)
        interval = scene.policy.check_interval - step.looked_for()
        claimed.incident = replace(incident, next_step_at=max(graced, claimed.now + interval))
