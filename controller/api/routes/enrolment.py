"""An agent comes to its certificate: an admin makes a one-time join token, the agent uses it, and renews by itself."""

from fastapi import APIRouter

from controller.api.auth import Admin
from controller.api.deps import Ports
from controller.api.schemas.enrolment import JoinTokenOut
from controller.services import enrolment, renewal
from shared.enrolment import (
    ChallengeAnswer,
    ChallengeRequest,
    EnrolAnswer,
    EnrolRequest,
    RenewAnswer,
    RenewRequest,
)

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


@open_router.post("/renew/challenge")
async def renew_challenge(ports: Ports, body: ChallengeRequest) -> ChallengeAnswer:
    """Ask for what a renewal has to sign: good for a minute, and once."""
    made = await renewal.make_challenge(ports.store, ports.clock, host_id=body.host_id)
    return ChallengeAnswer(challenge=made)


@open_router.post("/renew")
async def renew(ports: Ports, body: RenewRequest) -> RenewAnswer:
    """Get the next certificate of a host: signed with the key of the present one and the host's token."""
    return RenewAnswer(certificate=await renewal.renew(ports.store, ports.clock, body))
