"""Which power operations exclude each other. Pure.

Carries rule 4: one power command at a time for a host, and for a BMC's address. An intent without a result is in
flight, over all controllers. What only reads is no command: it waits for its turn at the device
(:mod:`controller.power.gate`), and stands in no command's way.
"""

from collections.abc import Iterable

from controller.domain.model import Attempt
from controller.domain.power import PowerAction

_READS = (PowerAction.TEST, PowerAction.STATUS)


def commands(unfinished: Iterable[Attempt]) -> list[Attempt]:
    """Those of the unfinished intents that change something."""
    return [attempt for attempt in unfinished if attempt.action not in _READS]


def in_flight(unfinished: Iterable[Attempt], *, host_id: str, identity: str) -> bool:
    """Whether a command is under way to this host, or to the BMC behind ``identity`` or one of its outlets."""
    mine = bmc_of(identity)
    return any(one.host_id == host_id or bmc_of(one.bmc_identity) == mine for one in commands(unfinished))


def bmc_of(identity: str) -> str:
    """``address:port`` of a device's identity: its outlets share it, whatever driver speaks to it."""
    return place_of(identity).partition("/")[0]


def place_of(identity: str) -> str:
    """``address:port/plug`` of a device's identity: the same device for every driver."""
    return identity.partition("://")[2]
