"""What the controller that answers can say of its deployment, for `hostfence doctor` and for monitoring."""

from fastapi import APIRouter

from controller.api.auth import Viewer
from controller.api.deps import Ports
from controller.api.schemas.deployment import DeploymentOut
from controller.services.errors import NotFound

router = APIRouter(prefix="/deployment", tags=["deployment"])


@router.get("")
async def get_deployment(ports: Ports, caller: Viewer) -> DeploymentOut:
    """Database, encryption key (never the key itself), controllers and agents with their versions."""
    del caller
    if ports.inspector is None:
        raise NotFound("this process does not know its deployment", code="unknown_deployment")
    return DeploymentOut.model_validate(await ports.inspector.look())
