"""``/healthz``: the process answers, and whether the database does. The only answer without a token."""

import asyncio
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from controller.api.deps import Ports
from controller.db.store import StoreUnavailable

router = APIRouter(tags=["health"])

ANSWERS_WITHIN_S = 3.0


class Health(BaseModel):
    """``status`` is about this process: restarting it would not bring a database back."""

    status: Literal["ok"] = "ok"
    database: Literal["ok", "unavailable"]
    version: str


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
