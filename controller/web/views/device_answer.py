"""What a power device answered to a person's Test, in words: whether it works, and what it said itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.domain.model import Attempt
from controller.domain.power import Accepted, PowerCode, PowerReading, PowerState
from controller.domain.reasons import Reason
from controller.web.views.look import Look

WORKS = Look("ok", "check", "works")
FAILS = Look("bad", "alert", "does not work")
NOT_ASKED = Look("warn", "hand", "was not asked")
POWER: dict[PowerState, Look] = {
    PowerState.ON: Look("ok", "power", "on"),
    PowerState.OFF: Look("quiet", "power", "off"),
    PowerState.UNKNOWN: Look("warn", "question", "unknown"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAnswer:
    """``power`` None: its state was not read. ``said``: the device's or program's own words."""

    look: Look
    summary: str
    said: str = ""
    power: Look | None = None
    code: str = ""
    reasons: Sequence[Reason] = ()


def answered(attempt: Attempt, reading: PowerReading | None) -> DeviceAnswer:
    """From what the test came to, and the state that was read after it."""
    if attempt.accepted is not Accepted.YES:
        return DeviceAnswer(
            look=FAILS,
            summary="The device cannot be used as it is set up.",
            said=attempt.said,
            code=_code(attempt.code),
        )
    if reading is None:
        return DeviceAnswer(look=WORKS, summary="Address, user and password are right.", said=attempt.said)
    if reading.state is PowerState.UNKNOWN:
        return DeviceAnswer(
            look=FAILS,
            summary="It lets us in, but does not say whether the power is on. Off could not be proven by it.",
            said=reading.said,
            power=POWER[reading.state],
            code=_code(reading.code),
        )
    return DeviceAnswer(
        look=WORKS,
        summary="Address, user and password are right, and it says how the power is.",
        said=reading.said or attempt.said,
        power=POWER[reading.state],
    )


def not_asked(why: str, reasons: Sequence[Reason] = ()) -> DeviceAnswer:
    """Something stood against asking it."""
    return DeviceAnswer(look=NOT_ASKED, summary=why, reasons=tuple(reasons))


def _code(code: PowerCode) -> str:
    return "" if code is PowerCode.NONE else code.value.replace("_", " ")
