"""An agent comes to its certificate: an admin makes a one-time join token, the agent uses it."""

from fastapi import APIRouter

from controller.api.auth import Admin
from controller.api.deps import Ports
from controller.api.schemas.enrolment import JoinTokenOut
from controller.services import enrolment
from shared.enrolment import EnrolAnswer, EnrolRequest

router = APIRouter(prefix="/hosts/{host}", tags=["hosts"])
open_router = APIRouter(tags=["hosts"])
"""Without a bearer token: see :mod:`controller.api.open_door`."""


@router.post("/join-token", status_code=201)
async def make_join_token(ports: Ports, caller: Admin, host: str) -> JoinTokenOut:
    """Make a token that the host's agent can enrol with, once and within an hour. Shown only here."""
    made = await enrolment.make_join_token(ports.store, ports.clock, host, actor=caller.name)
    return JoinTokenOut.model_validate(made)


@open_router.post("/enrol")
async def enrol(ports: Ports, body: EnrolRequest) -> EnrolAnswer:
    """Use a join token: the host's id, a new secret, and a certificate for the key in the request."""
    done = await enrolment.enrol(ports.store, ports.clock, join_token=body.join_token, csr=body.csr)
    return EnrolAnswer(
        host_id=done.host.id,
        host_name=done.host.name,
        agent_port=done.host.agent_port,
        agent_token=done.host.agent_token,
        certificate=done.certificate,
        ca_certificate=done.ca_certificate,
    )
