"""Tells an incident while it happens, from what the REST interface shows: its timeline and its check rounds."""

import time
from collections.abc import Callable
from typing import Any

from controller.domain.reasons import Reason
from controller.domain.words import label, words_for
from demo.api import Api
from demo.mail import Mail, read_mails
from demo.processes import MissedError
from demo.tell import Teller
from demo.world import World

LOOK_EVERY_S = 0.5
_SHOWN_WHOLE = ("held", "power is being cut")
_STATES = {
    "suspect": "read a baseline of the disks and the heartbeat",
    "checking": "check rounds begin: the neighbors look at the shared storage and at the host's address",
    "held": "hostfence holds: it leaves the host alone, and says why",
    "fencing": "dead for long enough, and nothing speaks against it: one last look, then the power is cut",
    "verifying": "the BMC took the command; that proves nothing, so its state is read until it is proven",
    "releasing": "the power is proven off: one more look for signs of life, then CloudStack may let its VMs go",
    "fenced": "released: CloudStack has none of its VMs there any more; the incident is closed",
    "recovered": "the host is back: the incident is closed, nothing was done to it",
}


class Post:
    """Tells each mail once, when it arrives: the most telling ones as a whole, the others by what they say first."""

    def __init__(self, world: World, tell: Teller) -> None:
        self._folder, self._tell = world.mails, tell
        self._told = 0

    def tell_new(self) -> list[Mail]:
        """Tell what arrived since the last call."""
        new = read_mails(self._folder)[self._told :]
        for mail in new:
            self._tell.say(f"mail to {mail.recipients}: {mail.subject}", style="magenta")
            whole = any(subject in mail.subject for subject in _SHOWN_WHOLE)
            self._tell.block(mail.text if whole else mail.text.strip().partition("\n\n")[0])
        self._told += len(new)
        return new


class Follower:
    """One incident."""

    def __init__(self, look: Callable[[], None], api: Api, tell: Teller, post: Post, incident: dict[str, Any]) -> None:
        """``look``: what else is to be looked at, again and again."""
        self._look, self._api, self._tell, self._post = look, api, tell, post
        self._path = f"/incidents/{incident['id']}"
        self._events = 0
        self._rounds = 0
        self.incident = incident

    def until(self, what: str, reached: Callable[[dict[str, Any]], Any], *, within_s: float) -> dict[str, Any]:
        """Tell on until the incident is as it should be."""
        until = time.monotonic() + within_s
        while True:
            self._look()
            self.incident = self._api.get(self._path)
            self._tell_new()
            self._post.tell_new()
            if reached(self.incident):
                return self.incident
            if time.monotonic() > until:
                state, why = self.incident["state"], ", ".join(self.incident["reasons"]) or "no reasons"
                raise MissedError(f"waited {within_s:.0f} s for {what}; the incident is {state} ({why})")
            time.sleep(LOOK_EVERY_S)

    def details(self, what: str) -> list[dict[str, Any]]:
        """Its ``events``, ``rounds``, ``attempts`` or ``effects``."""
        found: list[dict[str, Any]] = self._api.get(f"{self._path}/{what}")
        return found

    def _tell_new(self) -> None:
        events, rounds = self.details("events"), self.details("rounds")
        new = [(one["at"], self._event, one) for one in events[self._events :]]
        new += [(one["at"], self._round, one) for one in rounds if one["number"] > self._rounds]
        for _, tell, one in sorted(new, key=lambda entry: str(entry[0])):
            tell(one)
        self._events = len(events)
        self._rounds = max([self._rounds, *(one["number"] for one in rounds)])

    def _round(self, one: dict[str, Any]) -> None:
        why = ", ".join(label(Reason(reason)) for reason in one["reasons"])
        counted = f", {one['counted']} in a row" if one["counted"] else ""
        self._tell.say(f"round {one['number']}: {one['verdict']}{counted}" + (f" ({why})" if why else ""))

    def _event(self, one: dict[str, Any]) -> None:
        match one["kind"]:
            case "opened":
                self._tell.say(f"hostfence's own watch opens an incident: {one['text']}", style="yellow")
            case "state":
                said = _STATES.get(one["to_state"], one["text"])
                self._tell.say(f"{one['from_state']} -> {one['to_state']}: {said}", style="bold")
                if one["to_state"] == "held":
                    self._why(one["reasons"])
            case "intent":
                self._tell.say(f"intent stored before the BMC hears of it: {one['text']}", style="red")
            case "power_read":
                self._tell.say(f"{one['text']} ({one['data'].get('off_reads', 0)} off in a row)")
            case kind:
                self._tell.say(f"{kind.replace('_', ' ')}: {one['text']}".rstrip(": "))

    def _why(self, reasons: list[str]) -> None:
        for reason in map(Reason, reasons):
            self._tell.more(f"{reason}: {words_for(reason).means}")
