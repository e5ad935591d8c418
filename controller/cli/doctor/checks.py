"""Every check of the doctor, from everything that the controller said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from controller.cli.doctor import deployment, site
from controller.cli.doctor.check import PROBLEM, Check, Findings


@dataclass(slots=True, kw_only=True)
class Answers:
    """What the controller said. None: it did not; ``refused`` says why, by the name of the part.

    ``tested`` None: no channel was asked to send anything. ``version``: this command line's; ``here`` and ``now``: this
    machine's clock and the controller's at one moment.
    """

    version: str
    now: datetime
    here: datetime
    health: Mapping[str, Any]
    fitness: Mapping[str, Any] | None = None
    whoami: Mapping[str, Any] | None = None
    deployment: Mapping[str, Any] | None = None
    hosts: Sequence[Mapping[str, Any]] | None = None
    readiness: Sequence[Mapping[str, Any]] | None = None
    channels: Sequence[Mapping[str, Any]] | None = None
    tested: Sequence[Mapping[str, Any]] | None = None
    cloud: Mapping[str, Any] | None = None
    refused: dict[str, str] = field(default_factory=dict)


def all_checks(found: Answers, *, armed: bool = False) -> list[Check]:
    """Every check, in the order in which a person would mend things. ``armed``: what is not armed is a problem."""
    checks = [deployment.controller(found.health, found.fitness, ours=found.version), _access(found)]
    if (whole := found.deployment) is not None:
        checks += [
            deployment.database(whole["database"]),
            deployment.controllers(whole),
            deployment.clocks(whole["database"], here=found.here, now=found.now),
            deployment.key(whole["key"]),
            deployment.environment(whole["process"]),
        ]
    if found.cloud is not None:
        checks.append(site.cloud(found.cloud))
    if found.hosts is not None and found.readiness is not None:
        checks.append(site.inventory(found.hosts, found.readiness))
        if whole is not None:
            checks.append(site.agents(found.hosts, whole))
        checks += site.readiness(found.readiness, armed=armed)
    if found.channels is not None:
        checks.append(site.channels(found.channels, found.tested))
    return checks


def _access(found: Answers) -> Check:
    findings = Findings()
    for what, why in found.refused.items():
        todo = "Use a token of the role viewer or higher, and a controller of this version."
        findings.add(PROBLEM, f"{what} is not shown: {why}", todo)
    who = f"{found.whoami['name']} ({found.whoami['role']})" if found.whoami else "nobody"
    return findings.said("access", f"Asked as {who}")
