"""A power world in memory: machines, the BMCs wired to them, and what BMCs do wrong. No time or chance of its own.

It claims success, so it lives here and never in the packages (style: fakes that claim success live in ``tests/``).
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from controller.domain.power import Accepted, BmcTarget, Outcome, PowerAction, PowerCode, PowerReading, PowerState


@dataclass(slots=True)
class FakeMachine:
    """A host's power as it really is, whatever any BMC says. ``switches`` holds (from when, on?) in order."""

    name: str
    on: bool = True
    switches: list[tuple[float, bool]] = field(default_factory=list)

    def is_on(self, now: float) -> bool:
        """The truth at ``now``."""
        state = self.on
        for at, on in self.switches:
            if at <= now:
                state = on
        return state

    def switch(self, *, on: bool, at: float) -> None:
        """Change the power at ``at``; what was to happen later no longer does."""
        self.switches = [(when, was) for when, was in self.switches if when <= at]
        self.switches.append((at, on))


@dataclass(slots=True, kw_only=True)
class FakeBmc:
    """One device and what it does wrong. All of it may be changed while a story runs."""

    machine: FakeMachine
    """Wire it to another machine for a wrong mapping: it then switches and reads that one."""
    users: dict[str, str] | None = field(default=None, repr=False)
    """User → password; ``None`` lets everybody in."""
    off_delay_s: float = 0.0
    rejects_off: bool = False
    lies_off: bool = False
    """Accepts *off*, reads *off* from then on, and the machine stays on."""
    ignores_off: bool = False
    """Accepts *off*, does nothing and keeps reading *on*."""
    loses_answers: bool = False
    """Does what it is told; the answer to a command never arrives."""
    busy: bool = False
    reads: PowerState | None = None
    """Always reads this, whatever is true (a BMC that booted seconds ago says *off*)."""
    takes_s: float = 0.0
    """Passes before the deed."""
    answers_after_s: float = 0.0
    """Passes between the deed and the answer: whoever is cancelled or killed here has sent the command."""
    unreachable: list[tuple[float, float]] = field(default_factory=list)
    """Intervals [from, until) in which it answers nothing."""
    claims_off: bool = False
    identify: bool = False

    def is_reachable(self, now: float) -> bool:
        """Does it answer at ``now``."""
        return not any(start <= now < end for start, end in self.unreachable)

    def unplug(self, *, at: float, until: float = float("inf")) -> None:
        """Answer nothing from ``at`` until ``until``."""
        self.unreachable.append((at, until))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What happened at a device, written at that instant (an answer may still get lost). Reads have no ``accepted``."""

    at: float
    identity: str
    machine: str
    action: PowerAction
    code: PowerCode
    accepted: Accepted | None = None
    state: PowerState | None = None


class FakePower:
    """A :class:`controller.power.base.PowerDriver` over :class:`FakeBmc` objects.

    ``clock`` gives seconds and is also what ``not_after`` is compared with; ``sleep`` lets that clock pass. Without
    ``sleep`` every call is instantaneous. ``entries`` is the log; ``overlaps`` counts operations that met another one
    on the same device (rule 4): it must stay 0.
    """

    def __init__(
        self, *, clock: Callable[[], float], sleep: Callable[[float], Awaitable[object]] | None = None
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._bmcs: dict[str, FakeBmc] = {}
        self._in_flight: list[str] = []
        self.entries: list[Entry] = []
        self.overlaps = 0
        self.closed = False

    def put(self, target: BmcTarget, bmc: FakeBmc) -> FakeBmc:
        """Put a device behind ``target`` (its driver, address, port and plug). Without one nobody answers there."""
        self._bmcs[target.identity] = bmc
        return bmc

    def commands(self, machine: str | None = None) -> list[Entry]:
        """The state-changing commands that reached a device, in order; those that hit ``machine`` if it is given."""
        sent = (entry for entry in self.entries if entry.accepted not in (None, Accepted.NOT_SENT))
        return [entry for entry in sent if machine in (None, entry.machine)]

    async def status(self, target: BmcTarget, *, deadline_s: float, by_hand: bool = False) -> PowerReading:
        """Read the state once. Whoever asks gets the same answer here."""
        del by_hand
        began, bmc = self._clock(), self._bmcs.get(target.identity)
        with self._operation(target):
            code = await self._meet(bmc, target, deadline_s)
            state = self._state(bmc) if bmc is not None and code is PowerCode.NONE else PowerState.UNKNOWN
            self._note(target, PowerAction.STATUS, code, state=state)
            await self._pass(bmc.answers_after_s if bmc is not None else 0.0)
        return PowerReading(state=state, code=code, took_s=self._clock() - began)

    async def test(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        """A login and a read."""
        return await self.status(target, deadline_s=deadline_s)

    async def act(self, target: BmcTarget, action: PowerAction, *, deadline_s: float, not_after: float) -> Outcome:
        """Send one command."""
        if action in (PowerAction.STATUS, PowerAction.TEST):
            raise ValueError(f"{action} is a read: use status()")
        began, bmc = self._clock(), self._bmcs.get(target.identity)
        with self._operation(target):
            code = await self._meet(bmc, target, deadline_s)
            accepted = Accepted.NO if code is PowerCode.BUSY else Accepted.NOT_SENT
            if bmc is not None and code is PowerCode.NONE:
                late = self._clock() > not_after
                accepted, code = (Accepted.NOT_SENT, PowerCode.STALLED) if late else self._obey(bmc, action)
            self._note(target, action, code, accepted=accepted)
            await self._pass(bmc.answers_after_s if bmc is not None else 0.0)
        return Outcome(accepted=accepted, code=code, took_s=self._clock() - began)

    async def aclose(self) -> None:
        """Only remembered."""
        self.closed = True

    @contextmanager
    def _operation(self, target: BmcTarget) -> Iterator[None]:
        self.overlaps += target.identity in self._in_flight
        self._in_flight.append(target.identity)
        try:
            yield
        finally:
            self._in_flight.remove(target.identity)

    async def _meet(self, bmc: FakeBmc | None, target: BmcTarget, deadline_s: float) -> PowerCode:
        """Come as far as an open session: takes the device's time, or all of the deadline when nobody answers."""
        if bmc is None or not bmc.is_reachable(self._clock()) or bmc.takes_s > deadline_s:
            await self._pass(deadline_s)
            return PowerCode.NO_ANSWER
        await self._pass(bmc.takes_s)
        if not bmc.is_reachable(self._clock()):
            return PowerCode.NO_ANSWER
        if bmc.users is not None and bmc.users.get(target.username) != target.password:
            return PowerCode.BAD_CREDENTIALS
        return PowerCode.BUSY if bmc.busy else PowerCode.NONE

    async def _pass(self, seconds: float) -> None:
        if self._sleep is not None and seconds > 0:
            await self._sleep(seconds)

    def _state(self, bmc: FakeBmc) -> PowerState:
        if bmc.reads is not None:
            return bmc.reads
        if bmc.claims_off:
            return PowerState.OFF
        return PowerState.ON if bmc.machine.is_on(self._clock()) else PowerState.OFF

    def _obey(self, bmc: FakeBmc, action: PowerAction) -> tuple[Accepted, PowerCode]:
        now = self._clock()
        match action:
            case PowerAction.OFF if bmc.rejects_off:
                return Accepted.NO, PowerCode.REFUSED
            case PowerAction.OFF if bmc.lies_off:
                bmc.claims_off = True
            case PowerAction.OFF if not bmc.ignores_off:
                bmc.machine.switch(on=False, at=now + bmc.off_delay_s)
            case PowerAction.ON:
                bmc.claims_off = False
                bmc.machine.switch(on=True, at=now)
            case PowerAction.REBOOT if bmc.machine.is_on(now):
                bmc.machine.switch(on=False, at=now)
                bmc.machine.switch(on=True, at=now)
            case PowerAction.BLINK | PowerAction.BLINK_OFF:
                bmc.identify = action is PowerAction.BLINK
            case _:
                pass
        return (Accepted.UNKNOWN, PowerCode.TIMED_OUT) if bmc.loses_answers else (Accepted.YES, PowerCode.NONE)

    def _note(
        self,
        target: BmcTarget,
        action: PowerAction,
        code: PowerCode,
        *,
        accepted: Accepted | None = None,
        state: PowerState | None = None,
    ) -> None:
        bmc = self._bmcs.get(target.identity)
        machine = bmc.machine.name if bmc is not None else ""
        entry = Entry(
            at=self._clock(),
            identity=target.identity,
            machine=machine,
            action=action,
            code=code,
            accepted=accepted,
            state=state,
        )
        self.entries.append(entry)
