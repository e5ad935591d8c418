"""The situation in one sentence, and what follows if nothing changes: plain words for somebody who was just woken."""

from controller.domain.holds import hold_next, hold_what
from controller.domain.incident import Incident, State
from controller.domain.policy import Action, Mode, Policy
from controller.domain.reasons import NEEDS_A_PERSON, Reason
from controller.domain.words import label
from controller.web.timing import span

_SITUATIONS = {
    State.SUSPECT: "{name} has gone silent. hostfence takes a first look; nothing is done to it yet.",
    State.CHECKING: "{name} is silent, and its neighbors are asked whether it lives. {progress}",
    State.FENCING: "{name} was found dead. One last look, and its power is cut.",
    State.VERIFYING: "{cut}; {name} counts as off only once its power device has said so {times} in a row.",
    State.RELEASING: "{name} is off ({off}); its machines are being released to start elsewhere.",
    State.HELD: "{name} is silent. {hold}{why}",
    State.FENCED: "{name} was fenced{vouched}: it is off, and its machines were released{again}.",
    State.RECOVERED: "{name} came back by itself. {done}",
    State.NOTIFIED: "{name} was found dead. {told}",
    State.CANCELLED: "A person ended this incident of {name}. Nothing was done to it.",
}
_ACTIONS = {
    Action.NONE: "people are told, and nothing is done to the host (action none)",
    Action.BLINK: "its LED is lit and people are told (action blink)",
    Action.OFF: "its power is cut, and its machines may start elsewhere (action off)",
    Action.REBOOT: "its power is cut, its machines may start elsewhere, and it is powered on again (action reboot)",
}
_TOLD = {
    Reason.NOTHING_TO_RELEASE: "No machine was on it, so there was nothing to do but to tell people.",
    Reason.OBSERVE_MODE: "hostfence only observes here: it told people what it would have done.",
    Reason.ACTION_BLINK: "Its LED was lit and people were told, as the action says.",
}
_THEN = {
    State.FENCING: "Any sign of life in the last look stops it. After the command only reading follows.",
    State.VERIFYING: "Then its machines are released. If off cannot be proven, hostfence holds and asks a person.",
    State.RELEASING: "Any sign of life stops it: then hostfence holds and asks a person.",
    State.FENCED: "Once it has been healthy for a while after a new boot, it is taken back into use.",
}


def situation(incident: Incident, name: str, policy: Policy | None) -> str:
    """``policy`` None: the host was deleted since."""
    sent = incident.command.may_have_been_sent
    return _SITUATIONS[incident.state].format(
        name=name,
        progress=_progress(incident, policy),
        cut="The command to cut the power was sent" if sent else "The power reads off",
        times=f"{policy.off_reads} times" if policy is not None else "several times",
        off="a person vouched for it" if incident.acknowledged else "that is proven",
        hold=hold_what(incident),
        why=_why(incident),
        vouched=" on a person's word" if incident.acknowledged else "",
        again=", and it was powered on again" if incident.sent_on else "",
        done="A power command had been sent before." if sent else "Nothing was done to it.",
        told=next(
            (words for reason, words in _TOLD.items() if reason in incident.reasons),
            "People were told, as the action says; nothing was done to it.",
        ),
    )


def then(incident: Incident, policy: Policy | None) -> str:
    """Empty where nothing follows."""
    if incident.state is State.HELD:
        return hold_next(incident, incident.reasons)
    if incident.state in (State.SUSPECT, State.CHECKING) and policy is not None:
        if policy.mode is Mode.OBSERVE and policy.action is not Action.NONE:
            return "If it stays dead, people are told what would have been done; observe mode sends no command."
        return f"If it stays dead, {_ACTIONS[policy.action]}. Any sign of life stops that."
    return _THEN.get(incident.state, "")


def _why(incident: Incident) -> str:
    """What only a person ends comes first."""
    every = dict.fromkeys((*incident.reasons, *sorted(incident.sticky)))
    worst_first = sorted(every, key=lambda reason: reason not in NEEDS_A_PERSON)
    return f" Why: {', '.join(map(label, worst_first))}." if worst_first else ""


def _progress(incident: Incident, policy: Policy | None) -> str:
    if policy is None:
        return ""
    dead, needed, silence = incident.tally.dead, policy.rounds_needed, span(policy.min_silence)
    if not dead:
        rounds = "one round" if needed == 1 else f"{needed} rounds"
        return f"None has found it dead so far; {rounds} must, over at least {silence}."
    times = "once" if dead == 1 else f"{dead} times"
    return (
        f"It was found dead {times} in a row ({needed} needed), over {span(incident.tally.silence)} ({silence} needed)."
    )
