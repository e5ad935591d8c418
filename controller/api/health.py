"""``/healthz``: the process answers, and whether the database does. The only answer without a token."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from controller.api.deps import Ports
from controller.db.store import StoreUnavailable

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """``status`` is about this process: restarting it would not bring a database back."""

    status: Literal["ok"] = "ok"
    database: Literal["ok", "unavailable"]
    version: str


@router.get("/healthz")
async def healthz(ports: Ports) -> Health:
    """Always 200 while the process answers."""
    try:
        await ports.clock.now()
    except StoreUnavailable:
        return Health(database="unavailable", version=ports.version)
    return Health(database="ok", version=ports.version)
