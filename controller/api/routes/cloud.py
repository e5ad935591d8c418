"""What became of the last reading of the cloud."""

from fastapi import APIRouter

from controller.api.auth import Viewer
from controller.api.deps import Ports
from controller.api.schemas.cloud import CloudOut
from controller.services import cloud_reports

router = APIRouter(prefix="/cloud", tags=["cloud"])


@router.get("")
async def get_cloud(ports: Ports, caller: Viewer) -> CloudOut:
    """What can't be checked and why, problems first. Empty before the first reading and where there is no cloud."""
    del caller
    report = await cloud_reports.read_report(ports.store)
    return CloudOut() if report is None else CloudOut.model_validate(report)
