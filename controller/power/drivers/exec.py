"""The ``exec`` power driver: any utility, script or API as a command, in the request's own form.

Implements :class:`controller.power.base.PowerDriver`. What may run is the controller's own configuration, looked at
again before every run. Where the state can be read, a command is sent only after the device has answered such a read in
the same call: a program that was killed, or failed in words unknown here, may have sent anything or nothing.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

import structlog

from controller.domain.exec_presets import IPMI_PASSWORD_BYTES, ExecCommand, Preset, SecretVia, command_of
from controller.domain.exec_states import Printed, state_of
from controller.domain.exec_template import TemplateError, allowed_program
from controller.domain.fence_agents import AgentError, agent_lines
from controller.domain.power import (
    Accepted,
    BmcTarget,
    Outcome,
    PowerAction,
    PowerCode,
    PowerReading,
    PowerState,
)
from controller.power.drivers.exec_answers import failure, redact, said
from controller.power.drivers.exec_run import SECRET_PATH, Ending, Fate, Launch, Runs
from controller.power.drivers.fence_agent import ENVIRONMENT, AgentShelf

log = structlog.get_logger(__name__)

_CIPHERS = ("17", "3")  # the newer first; asking the BMC instead costs 10 s where it does not answer that question
_LOOK_SHARE = 0.5  # of a command's time, for the read before it
_ANSWERED = (PowerCode.NONE, PowerCode.MALFORMED)  # a state, or words that are none: the device is there


class ExecDriver:
    """Bounded numbers of programs at once; commands have their own share, so that reads never delay them."""

    def __init__(
        self,
        *,
        allowed: Sequence[PurePath],
        agents: AgentShelf | None = None,
        read_programs: int = 48,
        command_programs: int = 32,
    ) -> None:
        """``allowed``: the only programs that are ever run, by whole path."""
        self._allowed = tuple(allowed)
        self._agents = agents or AgentShelf()
        self._read_slots = asyncio.Semaphore(read_programs)
        self._command_slots = asyncio.Semaphore(command_programs)
        self._runs = Runs()
        self._ciphers: dict[str, str] = {}
        self._warned: set[str] = set()
        self._closed = False

    async def status(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        """Read the state once; a device without one is only tried, with its test action."""
        began = time.monotonic()
        self._refuse_if_closed()
        reading = await self._look(target, until=began + deadline_s)
        return _timed(reading, began)

    async def test(self, target: BmcTarget, *, deadline_s: float) -> PowerReading:
        """The test action where one is written, then the state; a test that fails is the answer."""
        began = time.monotonic()
        self._refuse_if_closed()
        until = began + deadline_s
        tried = await self._own_test(target, until=began + deadline_s * _LOOK_SHARE)
        if tried is None or tried.code is PowerCode.NONE:
            reading = await self._look(target, until=until)
            tried = reading if tried is None or reading.code is not PowerCode.NONE else _both(tried, reading)
        return _timed(tried, began)

    async def act(self, target: BmcTarget, action: PowerAction, *, deadline_s: float, not_after: float) -> Outcome:
        """Send one command, once. Raises ``ValueError`` for ``test`` and ``status``, which are no commands."""
        began = time.monotonic()
        if action in (PowerAction.TEST, PowerAction.STATUS):
            raise ValueError(f"{action} is a read: use status()")
        self._refuse_if_closed()
        outcome = await self._command(target, action, began=began, deadline_s=deadline_s, not_after=not_after)
        return Outcome(accepted=outcome.accepted, code=outcome.code, said=outcome.said, took_s=time.monotonic() - began)

    async def aclose(self) -> None:
        """End every program; calls in flight end as if theirs had died."""
        self._closed = True
        self._agents.close()
        self._runs.kill()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise RuntimeError("the exec driver is closed")

    async def _command(
        self, target: BmcTarget, action: PowerAction, *, began: float, deadline_s: float, not_after: float
    ) -> Outcome:
        if time.clock_gettime(time.CLOCK_BOOTTIME) > not_after:
            return Outcome(accepted=Accepted.NOT_SENT, code=PowerCode.STALLED, said=_TOO_LATE)
        try:
            command = command_of(target.options)
        except ValueError as error:  # a row that another version wrote
            return _nothing_sent(_unusable(error, target.password))
        if action not in command.words:
            remedy = f"this device has no action for {action}; see ipmi.action_* in the settings"
            return Outcome(accepted=Accepted.NOT_SENT, code=PowerCode.UNSUPPORTED, said=remedy)
        if command.reads_state:
            look = await self._look(target, until=began + deadline_s * _LOOK_SHARE)
            if look.code not in _ANSWERED:
                return _nothing_sent(look)
        try:
            launch = await self._prepare(
                target, command, action, cipher=self._ciphers_to_try(target, command)[0], until=began + deadline_s
            )
        except (TemplateError, AgentError) as error:
            return _nothing_sent(_unusable(error, target.password))
        launch = _due(launch, not_after)
        ending = await self._perform(self._command_slots, launch, until=began + deadline_s)
        return _outcome(command, ending, password=target.password)

    async def _own_test(self, target: BmcTarget, *, until: float) -> PowerReading | None:
        """None: there is no test action beside the status, which is tried anyway."""
        try:
            command = command_of(target.options)
            if not {PowerAction.TEST, PowerAction.STATUS} <= command.words.keys():
                return None
            return await self._try(target, command, PowerAction.TEST, until=until)
        except (ValueError, AgentError) as error:
            return _unusable(error, target.password)

    async def _look(self, target: BmcTarget, *, until: float) -> PowerReading:
        try:
            command = command_of(target.options)
            action = PowerAction.STATUS if PowerAction.STATUS in command.words else PowerAction.TEST
            if action not in command.words:
                raise TemplateError("write ipmi.action_status or ipmi.action_test: this device has neither")
            return await self._try(target, command, action, until=until)
        except (ValueError, AgentError) as error:
            return _unusable(error, target.password)

    async def _try(self, target: BmcTarget, command: ExecCommand, action: PowerAction, *, until: float) -> PowerReading:
        first, *others = self._ciphers_to_try(target, command)
        reading = await self._read(target, command, action, cipher=first, until=until)
        if reading.code is PowerCode.UNSUPPORTED and others:
            reading = await self._read(target, command, action, cipher=others[0], until=until)
        if reading.code is PowerCode.UNSUPPORTED:
            self._ciphers.pop(target.identity, None)  # other firmware, perhaps: both are tried next time
        return reading

    async def _read(
        self, target: BmcTarget, command: ExecCommand, action: PowerAction, *, cipher: str, until: float
    ) -> PowerReading:
        launch = await self._prepare(target, command, action, cipher=cipher, until=until)
        ending = await self._perform(self._read_slots, launch, until=until)
        reading = _reading(command, action, ending, password=target.password)
        if reading.code in _ANSWERED:
            self._ciphers[target.identity] = cipher
        return reading

    def _ciphers_to_try(self, target: BmcTarget, command: ExecCommand) -> tuple[str, ...]:
        """The cipher suites to try: the one set, or remembered; else both, which only reads get to (a login each)."""
        if command.cipher != "auto":
            return (command.cipher,)
        if target.identity in self._ciphers:
            return (self._ciphers[target.identity],)
        uses_it = any("cipher" in command.template_for(action).variables for action in command.words)
        return _CIPHERS if uses_it else _CIPHERS[:1]

    async def _prepare(
        self, target: BmcTarget, command: ExecCommand, action: PowerAction, *, cipher: str, until: float
    ) -> Launch:
        """Raises ``TemplateError`` or ``AgentError`` for what can't be run as the settings say."""
        program = str(allowed_program(command.program, self._allowed))
        self._guard_password(target, command, shown=command.shows_password)
        values = _values(target, command, action, program=program, cipher=cipher)
        if command.preset is Preset.FENCE_AGENT:
            agent = await self._agents.agent(Path(program), until=until)
            self._guard_password(target, command, shown=agent.shows_password)
            if values["action"] not in agent.actions:
                raise TemplateError(f"{command.program_name} has no action {values['action']!r}")
            lines = agent_lines(agent, command, values, action=values["action"])
            return Launch(
                argv=(program,), stdin="".join(f"{line}\n" for line in lines).encode(), environment=ENVIRONMENT
            )
        template = command.template_for(action)
        if not template.names_program_first:
            raise TemplateError("ipmi.syntax: begin with $IPMI_EXEC; the program stands in ipmi.exec")
        return _handing_over(Launch(argv=template.fill(values), environment=_told(values)), command, target.password)

    def _guard_password(self, target: BmcTarget, command: ExecCommand, *, shown: bool) -> None:
        """Rule 7 once more where it matters: settings may have changed since they were checked."""
        if command.speaks_ipmi and len(target.password.encode()) > IPMI_PASSWORD_BYTES:
            raise TemplateError(f"ipmi.password: IPMI 2.0 takes at most {IPMI_PASSWORD_BYTES} bytes")
        if not shown:
            return
        if not command.may_show_password:
            raise TemplateError(
                "the password would stand in a command line, and ipmi.unsafe_password_in_argv is not set"
            )
        if target.identity not in self._warned:
            self._warned.add(target.identity)
            log.warning("unsafe: the password of a power device stands in a command line", device=target.identity)

    async def _perform(self, slots: asyncio.Semaphore, launch: Launch, *, until: float) -> Ending:
        try:
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
                await slots.acquire()
        except TimeoutError:
            return Ending(fate=Fate.NOT_STARTED, err="no free place before the deadline")
        try:
            if self._closed:
                return Ending(fate=Fate.NOT_STARTED, err="the exec driver is closed")
            return await self._runs.run(launch, until=until)
        finally:
            slots.release()


_TOO_LATE = "too late: nothing was sent"


def _values(
    target: BmcTarget, command: ExecCommand, action: PowerAction, *, program: str, cipher: str
) -> Mapping[str, str]:
    values = {
        "exec": program,
        "username": target.username,
        "password": target.password,
        "password_file": SECRET_PATH,
        "action": command.words[action],
        "host": target.address,
        "port": str(target.port),
        "plug": target.plug,
        "nodename": target.nodename or target.address,
        "cipher": cipher,
        "privilege": command.privilege.upper(),
    }
    for name, value in values.items():
        if any(letter in value for letter in "\0\n\r"):
            raise TemplateError(f"ipmi.{name} holds a line break or a NUL; leave it out")
    return values


def _told(values: Mapping[str, str]) -> dict[str, str]:
    """The same facts as variables of the environment, for scripts; the password only where it is to go that way."""
    return {f"IPMI_{name.upper()}": value for name, value in values.items() if not name.startswith("password")}


def _handing_over(launch: Launch, command: ExecCommand, password: str) -> Launch:
    environment, stdin, secret_file = dict(launch.environment), b"", None
    match command.secret_via:
        case SecretVia.ENV:
            environment["IPMI_PASSWORD"] = password  # ipmitool's -E reads this one too
        case SecretVia.STDIN:
            stdin = f"{password}\n".encode()
        case SecretVia.FILE:
            secret_file = f"{password}\n".encode()
            environment["IPMI_PASSWORD_FILE"] = SECRET_PATH
        case SecretVia.ARGV:
            pass
    return Launch(argv=launch.argv, environment=environment, stdin=stdin, secret_file=secret_file)


def _due(launch: Launch, not_after: float) -> Launch:
    return Launch(
        argv=launch.argv,
        environment=launch.environment,
        stdin=launch.stdin,
        secret_file=launch.secret_file,
        not_after=not_after,
    )


def _reading(command: ExecCommand, action: PowerAction, ending: Ending, *, password: str) -> PowerReading:
    words = said(ending, password=password)
    match ending.fate:
        case Fate.NOT_STARTED | Fate.STALLED:
            return PowerReading(state=PowerState.UNKNOWN, code=PowerCode.DRIVER_FAILED, said=words)
        case Fate.DEADLINE:
            words = f"the program did not end in time {words}".strip()
            return PowerReading(state=PowerState.UNKNOWN, code=PowerCode.NO_ANSWER, said=words)
        case Fate.EXITED:
            return _state(command, action, ending, words)


def _state(command: ExecCommand, action: PowerAction, ending: Ending, words: str) -> PowerReading:
    if action is PowerAction.TEST or not command.state_map:
        code = PowerCode.NONE if ending.exit_code == 0 else failure(command, ending).code
        return PowerReading(state=PowerState.UNKNOWN, code=code, said=words or f"exit code {ending.exit_code}")
    printed = Printed(exit_code=ending.exit_code, out=ending.out, cut=ending.cut)
    state = state_of(printed, command.state_map)
    if state is not PowerState.UNKNOWN:
        return PowerReading(state=state, said="")
    known_code = ending.exit_code == 0 or str(ending.exit_code) in command.state_map
    code = PowerCode.MALFORMED if known_code else failure(command, ending).code
    return PowerReading(state=state, code=code, said=f"exit code {ending.exit_code}: {words}")


def _outcome(command: ExecCommand, ending: Ending, *, password: str) -> Outcome:
    words = said(ending, password=password)
    match ending.fate:
        case Fate.STALLED:
            return Outcome(accepted=Accepted.NOT_SENT, code=PowerCode.STALLED, said=_TOO_LATE)
        case Fate.NOT_STARTED:
            return Outcome(accepted=Accepted.NOT_SENT, code=PowerCode.DRIVER_FAILED, said=words)
        case Fate.DEADLINE:
            words = f"the program did not end in time {words}".strip()
            return Outcome(accepted=Accepted.UNKNOWN, code=PowerCode.TIMED_OUT, said=words)
        case Fate.EXITED:
            pass
    if ending.exit_code == 0:
        return Outcome(accepted=Accepted.YES, said=words)
    failed = failure(command, ending)
    return Outcome(accepted=failed.accepted, code=failed.code, said=f"exit code {ending.exit_code}: {words}")


def _nothing_sent(look: PowerReading) -> Outcome:
    """The device did not answer the read as it must: the command stays here."""
    said_no = look.code in (PowerCode.BUSY, PowerCode.REFUSED)
    return Outcome(accepted=Accepted.NO if said_no else Accepted.NOT_SENT, code=look.code, said=look.said)


def _unusable(error: Exception, password: str) -> PowerReading:
    """What can't be run: an agent that is broken, or settings that another version wrote."""
    code = PowerCode.DRIVER_FAILED if isinstance(error, AgentError) else PowerCode.NOT_CONFIGURED
    return PowerReading(state=PowerState.UNKNOWN, code=code, said=redact(str(error), password))


def _both(tried: PowerReading, reading: PowerReading) -> PowerReading:
    """A test that passed, and the state."""
    return PowerReading(state=reading.state, code=reading.code, said=tried.said)


def _timed(reading: PowerReading, began: float) -> PowerReading:
    return PowerReading(state=reading.state, code=reading.code, said=reading.said, took_s=time.monotonic() - began)
