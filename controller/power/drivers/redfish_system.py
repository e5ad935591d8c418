"""The parts of a Redfish service that power needs: which System, its state, its reset, its light."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from controller.domain.power import PowerCode, PowerReading, PowerState
from controller.power.drivers.redfish_answers import Answer, RedfishFault
from controller.power.drivers.redfish_session import RedfishSession, link

_STATES = {"On": PowerState.ON, "Off": PowerState.OFF}
_ON_ITS_WAY = ("PoweringOn", "PoweringOff")
_RESET = "#ComputerSystem.Reset"
_VALUES = "@Redfish.AllowableValues"
_PAGES, _ASKED, _NAMED = 8, 32, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One System as read a moment ago."""

    path: str
    body: Mapping[str, Any] = field(repr=False)
    etag: str = ""

    def reading(self) -> PowerReading:
        """On or off where the device clearly says so, else unknown with a code."""
        said = self.body.get("PowerState")
        if not isinstance(said, str):
            text = "the System has no PowerState" if said is None else "the System's PowerState is no text"
            return PowerReading(state=PowerState.UNKNOWN, code=PowerCode.MALFORMED, said=text)
        if said in _STATES:
            return PowerReading(state=_STATES[said])
        code = PowerCode.BUSY if said in _ON_ITS_WAY else PowerCode.UNSUPPORTED
        return PowerReading(state=PowerState.UNKNOWN, code=code, said=f"PowerState {said}")

    def light(self, *, lit: bool) -> Mapping[str, Any]:
        """The change that starts or ends the light's blinking; empty where the System has no light."""
        if "LocationIndicatorActive" in self.body:
            return {"LocationIndicatorActive": lit}
        if "IndicatorLED" not in self.body:
            return {}
        known = self.body.get(f"IndicatorLED{_VALUES}")
        steady = isinstance(known, list) and "Blinking" not in known
        return {"IndicatorLED": ("Lit" if steady else "Blinking") if lit else "Off"}


async def find_system(session: RedfishSession, plug: str) -> System:
    """The System whose id is ``plug``; with an empty ``plug`` the only one.

    Raises:
        RedfishFault: ``not_configured``, naming the ids, unless exactly one is meant.
    """
    members = [path async for path in _members(session)]
    ids = ", ".join(_last_word(path) for path in members[:_NAMED]) + (" …" if len(members) > _NAMED else "")
    if not members:
        raise RedfishFault(PowerCode.UNSUPPORTED, "the service has no Systems")
    if not plug and len(members) > 1:
        said = f"the device has several Systems: write the id of this host's as ipmi.plug, one of {ids}"
        raise RedfishFault(PowerCode.NOT_CONFIGURED, session.tell(said))
    meant = [path for path in members if not plug or _last_word(path) == plug]
    if len(meant) == 1:
        return await read_system(session, meant[0])
    for path in members[:_ASKED]:  # an id need not be the last word of its path
        system = await read_system(session, path)
        if system.body.get("Id") == plug:
            return system
    raise RedfishFault(PowerCode.NOT_CONFIGURED, session.tell(f"the device has no System {plug}; it has {ids}"))


async def read_system(session: RedfishSession, path: str) -> System:
    """Read one System."""
    answer = await session.read(path)
    return System(path=path, body=answer.body, etag=_etag(answer))


async def reset_of(session: RedfishSession, system: System) -> tuple[str, tuple[str, ...] | None]:
    """Where to send a reset, and which kinds the device takes (None: it does not say). An empty path: no reset."""
    actions = system.body.get("Actions")
    reset = actions.get(_RESET) if isinstance(actions, Mapping) else None
    if not isinstance(reset, Mapping) or not isinstance(path := reset.get("target"), str):
        return "", None
    kinds = reset.get(f"ResetType{_VALUES}")
    if kinds is None and isinstance(info := reset.get("@Redfish.ActionInfo"), str):
        kinds = _kinds(await session.read(info))
    return path, _texts(kinds)


def _kinds(info: Answer) -> Any:
    parameters = info.body.get("Parameters")
    for one in parameters if isinstance(parameters, list) else ():
        if isinstance(one, Mapping) and one.get("Name") == "ResetType":
            return one.get("AllowableValues")
    return None


def _texts(values: Any) -> tuple[str, ...] | None:
    return tuple(one for one in values if isinstance(one, str)) if isinstance(values, list) else None


async def _members(session: RedfishSession) -> AsyncIterator[str]:
    path = link(session.root, "Systems")
    for _ in range(_PAGES):
        if not path:
            return
        page = (await session.read(path)).body
        members = page.get("Members")
        for one in members if isinstance(members, list) else ():
            if isinstance(one, Mapping) and isinstance(found := one.get("@odata.id"), str):
                yield found
        more = page.get("Members@odata.nextLink")
        path = more if isinstance(more, str) else ""


def _last_word(path: str) -> str:
    return unquote(path.rstrip("/").rpartition("/")[2])


def _etag(answer: Answer) -> str:
    """The header first: in the body some services write it in quotes of their own."""
    found = answer.headers.get("ETag") or answer.body.get("@odata.etag")
    return found if isinstance(found, str) and found.isascii() and found.isprintable() else ""
