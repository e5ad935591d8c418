"""Explanations on the wire: one host's gates, and clusters at a glance."""

from datetime import datetime

from pydantic import Field

from controller.api.schemas.base import Answer
from controller.domain.cluster_readiness import ClusterReadiness
from controller.domain.explain import Explanation
from controller.domain.gates import GateCode, Group, Readiness
from controller.domain.policy import Action
from controller.domain.timeline import Stage


class GateOut(Answer):
    """One gate. `reason`: why it is closed, as the engine would say it; `change`: what would have to change."""

    code: GateCode
    group: Group
    readiness: Readiness
    reason: str | None
    text: str
    change: str


class PlanOut(Answer):
    """What hostfence would do once the host is found dead."""

    action: Action
    devices: list[str] = Field(description="power devices in the order in which they would be tried")
    slots_left: int = Field(description="power-downs left to the cluster in its time window")
    slots_left_everywhere: int
    quarantines: bool = Field(description="the host would be taken out of use first")


class StepOut(Answer):
    """One stage, in seconds since the host fell silent; `settings`: what these come from."""

    stage: Stage
    soonest_s: float
    latest_s: float
    settings: list[str]
    text: str


class TimelineOut(Answer):
    """From silence to off and to the release, while everything answers as it should."""

    steps: list[StepOut]
    off_s: float = Field(description="from silence to power proven off, at the latest")
    release_s: float = Field(description="from silence to where the machines may start elsewhere, at the latest")
    cloud_restarts_after_s: float | None
    margin_s: float | None = Field(description="by how much the quarantine comes before the cloud's own restart")


class ExplanationOut(Answer):
    """Could the host be fenced if it died now? `readiness` is that of its worst gate; a warning leaves it ready."""

    host_id: str
    host_name: str
    cluster_id: str
    at: datetime
    readiness: Readiness
    gates: list[GateOut]
    plan: PlanOut
    timeline: TimelineOut
    witnesses_that_could_tell: int
    witnesses_required: int
    agent_answers: bool
    incident_id: str

    @classmethod
    def of(cls, one: Explanation) -> "ExplanationOut":
        """From the domain's form."""
        return cls(
            host_id=one.host.id,
            host_name=one.host.name,
            cluster_id=one.host.cluster_id,
            at=one.at,
            readiness=one.readiness,
            gates=[GateOut.model_validate(gate) for gate in one.gates],
            plan=PlanOut.model_validate(one.plan),
            timeline=TimelineOut.model_validate(one.timeline),
            witnesses_that_could_tell=one.could_tell,
            witnesses_required=one.required,
            agent_answers=one.answers,
            incident_id=one.incident_id,
        )


class CauseOut(Answer):
    """What stands against hosts of a cluster: a reason's code, or a gate's where no reason closes it."""

    code: str
    group: Group
    readiness: Readiness
    hosts: int
    change: str


class HostLineOut(Answer):
    """One host. `codes`: what stands against it, the worst first. `spare_witnesses` below 0: too few could tell."""

    id: str
    name: str
    readiness: Readiness
    codes: list[str]
    off_s: float
    spare_witnesses: int


class StormOut(Answer):
    """Hosts that fall silent at the same moment: up to `believed` of them are, `beyond` holds all when there are more.

    `power_downs`: how many of them the caps allow now.
    """

    believed: int
    power_downs: int
    beyond: list[str]
    max_actions: int
    max_unhealthy_percent: int


class ClusterReadinessOut(Answer):
    """How many hosts of a cluster could be fenced if they died now, and what stands against the others."""

    cluster_id: str
    cluster_name: str
    at: datetime
    ready: int
    waits: int
    blocked: int
    least_spare_witnesses: int | None
    slowest_off_s: float | None
    storm: StormOut | None
    causes: list[CauseOut]
    hosts: list[HostLineOut]

    @classmethod
    def of(cls, one: ClusterReadiness) -> "ClusterReadinessOut":
        """From the domain's form."""
        return cls(
            cluster_id=one.cluster.id,
            cluster_name=one.cluster.name,
            at=one.at,
            ready=one.ready,
            waits=one.waits,
            blocked=one.blocked,
            least_spare_witnesses=one.least_spare_witnesses,
            slowest_off_s=one.slowest_off_s,
            storm=StormOut.model_validate(one.storm) if one.storm is not None else None,
            causes=[CauseOut.model_validate(cause) for cause in one.causes],
            hosts=[HostLineOut.model_validate(line) for line in one.hosts],
        )
