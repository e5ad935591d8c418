"""``/healthz``: this process lives. ``/readyz``: it is fit for work, or why not. Neither needs a token.

Restart what is not alive; send no work to what is not ready. A process is alive while its database is away: a restart
would not bring that back.
"""

import asyncio
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from controller.api.deps import Ports
from controller.db.store import StoreUnavailable
from controller.domain.vitals import AILMENTS, Ailment, Finding

router = APIRouter(tags=["health"])

ANSWERS_WITHIN_S = 0.8
"""Whoever watches over processes waits a second by default, and a hung database must not get this one killed."""


class Health(BaseModel):
    """``status`` is about this process: restarting it would not bring a database back."""

    status: Literal["ok"] = "ok"
    database: Literal["ok", "unavailable"]
    version: str


class Complaint(BaseModel):
    """One thing that is wrong. ``code`` is stable; ``do`` says what helps."""

    code: Ailment
    detail: str
    do: str

    @classmethod
    def of(cls, finding: Finding) -> "Complaint":
        """From the domain's form."""
        return cls(code=finding.code, detail=finding.detail, do=AILMENTS[finding.code].do)


class Fitness(BaseModel):
    """Is the process fit for work, and if not, everything that is wrong."""

    ready: bool
    version: str
    reasons: list[Complaint]


@router.get("/healthz")
async def healthz(ports: Ports) -> Health:
    """Always 200 while the process answers. A database that takes no writes is as good as none."""
    asking = asyncio.create_task(ports.clock.now())
    await asyncio.wait({asking}, timeout=ANSWERS_WITHIN_S)
    if not asking.done():
        asking.cancel()  # not waited for: a hung database lets go of nobody, and load balancers do not wait
        return Health(database="unavailable", version=ports.version)
    try:
        await asking
    except StoreUnavailable:
        return Health(database="unavailable", version=ports.version)
    return Health(database="ok", version=ports.version)


@router.get("/readyz", responses={503: {"model": Fitness, "description": "Not ready, and why"}})
async def readyz(ports: Ports, response: Response) -> Fitness:
    """200 while database, clock, engine and notifier work; else 503 with a code for everything that does not."""
    if ports.monitoring is None:
        found: tuple[Finding, ...] = (Finding(code=Ailment.STARTING, detail=AILMENTS[Ailment.STARTING].means),)
    else:
        found = await ports.monitoring.checkup()
    response.status_code = 503 if found else 200
    return Fitness(ready=not found, version=ports.version, reasons=[Complaint.of(one) for one in found])
