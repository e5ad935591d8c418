"""Could a host be fenced if it died now, and if not, why not?"""

from fastapi import APIRouter

from controller.api.auth import Viewer
from controller.api.deps import Ports
from controller.api.schemas.readiness import ClusterReadinessOut, ExplanationOut

router = APIRouter(tags=["readiness"])


@router.get("/hosts/{host}/explain")
async def explain_host(ports: Ports, caller: Viewer, host: str) -> ExplanationOut:
    """Every gate's state now, what would have to change, and the seconds from silence to off under today's settings.

    The cluster's agents are asked for it, which takes two seconds where one does not answer.
    """
    del caller
    return ExplanationOut.of(await ports.explainer.host(host))


@router.get("/clusters/{cluster}/readiness")
async def cluster_readiness(ports: Ports, caller: Viewer, cluster: str) -> ClusterReadinessOut:
    """One cluster at a glance, from what its agents told this controller last; the worst hosts first."""
    del caller
    return ClusterReadinessOut.of(await ports.explainer.cluster(cluster))


@router.get("/readiness")
async def readiness(ports: Ports, caller: Viewer) -> list[ClusterReadinessOut]:
    """All clusters at a glance, by name."""
    del caller
    return [ClusterReadinessOut.of(one) for one in await ports.explainer.everything()]
