"""What each kind of notice says: one table, kind -> severity, headline and three texts. Read by ``notices``.

Written for a person woken at 3 am: what is the case, what happens next, how to stop it. Braces are filled in by the
builders; every text ends a sentence.
"""

from dataclasses import dataclass
from enum import StrEnum

from controller.domain.model import EffectKind, Severity


class NoticeKind(StrEnum):
    """Every decision people are told of."""

    OPENED = "opened"
    HELD = "held"
    HOLD_CHANGED = "hold_changed"
    REMINDER = "reminder"
    CONTRADICTION = "contradiction"
    OTHER_HOST_VANISHED = "other_host_vanished"
    WOULD_HAVE_FENCED = "would_have_fenced"
    ACTION_NONE = "action_none"
    BLINK = "blink"
    NOTHING_TO_RELEASE = "nothing_to_release"
    FENCING = "fencing"
    OFF_PROVEN = "off_proven"
    FENCED = "fenced"
    FENCED_IN_PART = "fenced_in_part"
    STAYS_OFF = "stays_off"
    RECOVERED = "recovered"
    CANCELLED = "cancelled"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned"
    RETURN_WAITS = "return_waits"
    PLACED_ELSEWHERE = "placed_elsewhere"
    QUARANTINE_FAILED = "quarantine_failed"
    UNQUARANTINE_FAILED = "unquarantine_failed"
    RELEASE_FAILED = "release_failed"
    BLINK_FAILED = "blink_failed"
    BLINK_OFF_FAILED = "blink_off_failed"
    POWER_ON_FAILED = "power_on_failed"
    BMC_TEST_FAILED = "bmc_test_failed"
    CERTIFICATE_ENDS = "certificate_ends"
    CERTIFICATE_ENDED = "certificate_ended"
    DATABASE_RESTORED = "database_restored"
    CLOUD_TROUBLE = "cloud_trouble"
    CLOUD_IS_BACK = "cloud_is_back"
    DIGEST = "digest"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Texts:
    """The words of one kind. ``headline`` goes into subjects and lists."""

    severity: Severity
    headline: str
    what: str
    next: str
    how_to_stop: str


_NOTHING = "Nothing is under way, so there is nothing to stop."
_CANCEL = "Cancel the incident on its page, or pause fencing for the host, its cluster or everything."
_TOO_LATE = (
    "A command on its way cannot be called back. Pausing fencing stops any further one. If the wrong machine "
    "went down, pause everything first."
)
_RENEW = (
    "Look on {host} why it is not renewed: at the timer and the log of the unit hostfence-agent-renew. Or make a join "
    "token and enrol the host again."
)
_CLOSED = "The incident is closed. Another one is opened only after the host was seen healthy, or a person re-arms it."
_HOLD = "{hold_next}"
_HOLD_STOP = "{hold_stop}"

TEXTS: dict[NoticeKind, Texts] = {
    NoticeKind.OPENED: Texts(
        Severity.INFO,
        "silent, being checked",
        "{host} has been silent since {since}. Its neighbors are checking whether it is dead.",
        "If it turns out to be alive, nothing happens to it. If not, you are told what hostfence decides.",
        _CANCEL,
    ),
    NoticeKind.HELD: Texts(
        Severity.WARNING,
        "held",
        "{host} has been silent since {since}. {holding} {vms}",
        _HOLD,
        _HOLD_STOP,
    ),
    NoticeKind.HOLD_CHANGED: Texts(
        Severity.WARNING,
        "held for a new reason",
        "{host} is still held (silent since {since}), and there is a new reason: {new}. {holding} {vms}",
        _HOLD,
        _HOLD_STOP,
    ),
    NoticeKind.REMINDER: Texts(
        Severity.WARNING,
        "still held",
        "{host} has been held for {age} (silent since {since}). {holding} {vms}",
        _HOLD,
        _HOLD_STOP,
    ),
    NoticeKind.CONTRADICTION: Texts(
        Severity.CRITICAL,
        "evidence contradicts itself",
        "{host}: the evidence contradicts itself. It was to be powered off, and something still shows life, or it "
        "booted again. hostfence lets none of its machines start elsewhere now. {vms}",
        _HOLD,
        _HOLD_STOP,
    ),
    NoticeKind.OTHER_HOST_VANISHED: Texts(
        Severity.CRITICAL,
        "another host vanished: wrong BMC?",
        "Another host vanished at the moment the power of {host} was cut. The BMC configured for {host} may belong to "
        "that other machine. hostfence stops all fencing. {vms}",
        _HOLD,
        _HOLD_STOP,
    ),
    NoticeKind.WOULD_HAVE_FENCED: Texts(
        Severity.WARNING,
        "dead; would have been fenced",
        "{host} is dead (silent since {since}). hostfence would have {done}, but did nothing. {vms}",
        "Nothing more happens by itself: look after the host and its machines yourself. " + _CLOSED,
        _NOTHING + " To let hostfence act next time, set mode to enforce for everything, the cluster and the host.",
    ),
    NoticeKind.ACTION_NONE: Texts(
        Severity.CRITICAL,
        "dead; nothing is done",
        "{host} is dead (silent since {since}). The action set for it is to tell you and leave it alone. {vms}",
        "Nothing more happens by itself: look after the host and its machines yourself. " + _CLOSED,
        _NOTHING,
    ),
    NoticeKind.BLINK: Texts(
        Severity.CRITICAL,
        "dead; its LED blinks",
        "{host} is dead (silent since {since}). The action set for it is to light its LED and leave it alone. {vms}",
        "Nothing more happens by itself: look after the host and its machines yourself. " + _CLOSED,
        _NOTHING + " The LED can be switched off on the host's page.",
    ),
    NoticeKind.NOTHING_TO_RELEASE: Texts(
        Severity.WARNING,
        "dead, no machines on it",
        "{host} is dead (silent since {since}). No virtual machine ran on it, so its power is left as it is.",
        "Nothing more happens by itself. " + _CLOSED,
        _NOTHING,
    ),
    NoticeKind.FENCING: Texts(
        Severity.WARNING,
        "dead; power is being cut",
        "{host} is dead (silent since {since}). hostfence is cutting its power now. {vms}",
        "hostfence reads the power state until it is proven off. Only then may its machines start elsewhere{then}. "
        "If it cannot be proven, hostfence holds and tells you.",
        _TOO_LATE,
    ),
    NoticeKind.OFF_PROVEN: Texts(
        Severity.INFO,
        "power proven off",
        "The power of {host} is proven off: its BMC said so in {reads} reads in a row.",
        "hostfence now lets its virtual machines start on other hosts. You are told when that is done.",
        "Pause fencing to stop further commands. Do not switch {host} on before its machines have started elsewhere.",
    ),
    NoticeKind.FENCED: Texts(
        Severity.INFO,
        "fenced",
        "{host} is off, and its virtual machines may run elsewhere now; none is reported as not started. {vms}",
        "{after}",
        _NOTHING,
    ),
    NoticeKind.FENCED_IN_PART: Texts(
        Severity.CRITICAL,
        "fenced, but machines did not start",
        "{host} is off and its virtual machines may run elsewhere, but these did not start: {not_started}.",
        "Start them by hand elsewhere: that is safe, none of them runs on this host any more. {after}",
        _NOTHING,
    ),
    NoticeKind.STAYS_OFF: Texts(
        Severity.WARNING,
        "stays off: fenced again and again",
        "{host} was fenced {fences} times within 24 hours, so hostfence leaves it off.",
        "It stays off until a person switches it on.",
        _NOTHING,
    ),
    NoticeKind.RECOVERED: Texts(
        Severity.INFO,
        "back",
        "{host} is back. It had been silent since {since}.",
        "The incident is closed{untouched}.{unquarantine}",
        _NOTHING,
    ),
    NoticeKind.CANCELLED: Texts(
        Severity.INFO,
        "incident cancelled",
        '{by} cancelled the incident of {host}, saying: "{said}".',
        _CLOSED + "{unquarantine}",
        _NOTHING,
    ),
    NoticeKind.ACKNOWLEDGED: Texts(
        Severity.WARNING,
        "acknowledged as off",
        '{by} vouched that {host} is off, saying: "{said}".',
        "hostfence lets its virtual machines start on other hosts, unless the host shows a sign of life. {vms}",
        "If {host} is not off for certain: pause fencing at once and pull its plug. Two running copies of a machine "
        "destroy its disk.",
    ),
    NoticeKind.RETURNED: Texts(
        Severity.INFO,
        "returned",
        "{host} is up again after having been fenced, and has been healthy for long enough.",
        "It takes part again: its quarantine is being undone, and hostfence watches it as before.",
        "To keep it out, put it in maintenance.",
    ),
    NoticeKind.RETURN_WAITS: Texts(
        Severity.WARNING,
        "returned, waits for you",
        "{host} is up again after having been fenced, and has been healthy for long enough.",
        "It stays out of use, and its next silence opens no incident, until somebody re-arms it.",
        "When you trust it again, re-arm it; leave it as it is to keep it out.",
    ),
    NoticeKind.PLACED_ELSEWHERE: Texts(
        Severity.CRITICAL,
        "machines placed on another host before proof",
        "The cloud places machines of {host} on other hosts although {host} is not proven off: {where}. They may be "
        "running twice.",
        "hostfence leaves their disks out of the evidence and goes on with the rest.",
        "Check at once where these machines run, and stop the second copy. Cancel the incident to stop hostfence.",
    ),
    NoticeKind.QUARANTINE_FAILED: Texts(
        Severity.WARNING,
        "quarantine failed",
        "{host} could not be quarantined: {said}. The cloud may restart its machines before its power is off.",
        "The incident goes on all the same. {trying}",
        "Disable the host in the cloud by hand. " + _CANCEL,
    ),
    NoticeKind.UNQUARANTINE_FAILED: Texts(
        Severity.WARNING,
        "quarantine could not be undone",
        "The quarantine of {host} could not be undone: {said}. It may still be disabled in the cloud.",
        "{trying}",
        "Enable the host in the cloud by hand, or leave it out on purpose.",
    ),
    NoticeKind.RELEASE_FAILED: Texts(
        Severity.CRITICAL,
        "machines could not be released",
        "{host} is off, but the cloud did not let its machines start elsewhere: {said}. {vms}",
        "{trying} Its power stays off meanwhile.",
        "Start the machines by hand: that is safe as long as {host} stays off.",
    ),
    NoticeKind.BLINK_FAILED: Texts(
        Severity.INFO,
        "LED could not be lit",
        "The LED of {host} could not be lit: {said}.",
        "{trying}",
        _NOTHING,
    ),
    NoticeKind.BLINK_OFF_FAILED: Texts(
        Severity.INFO,
        "LED could not be switched off",
        "The LED of {host} could not be switched off: {said}.",
        "{trying}",
        _NOTHING,
    ),
    NoticeKind.POWER_ON_FAILED: Texts(
        Severity.WARNING,
        "could not be switched on again",
        "{host} was fenced, and could not be switched on again: {said}.",
        "{trying} Its machines run elsewhere and are not affected.",
        "To keep it off, pause fencing for the host.",
    ),
    NoticeKind.BMC_TEST_FAILED: Texts(
        Severity.WARNING,
        "BMC does not work",
        "The BMC of {host} failed its test ({code}): {said}. If this host died now, hostfence could not fence it.",
        "hostfence goes on testing it and tells you only if it fails in another way.",
        "Correct the BMC's address or credentials on the host's page and press Test.",
    ),
    NoticeKind.CERTIFICATE_ENDS: Texts(
        Severity.WARNING,
        "the agent's certificate ends soon",
        "The certificate of the agent of {host} ends on {until}. It should have been renewed by itself long before.",
        "Until then nothing changes. After that hostfence cannot ask the agent: it takes the host for silent, holds "
        "and asks a person, and the host is no witness for its neighbors.",
        _RENEW,
    ),
    NoticeKind.CERTIFICATE_ENDED: Texts(
        Severity.CRITICAL,
        "the agent's certificate has ended",
        "The certificate of the agent of {host} ended on {until}. hostfence cannot ask the agent any more.",
        "The host is taken for silent and held, and it is no witness for its neighbors: if they go silent, they may be "
        "held for too few witnesses.",
        "Make a join token for {host} and enrol it again, as the installing guide says. Then restart its agent.",
    ),
    NoticeKind.DATABASE_RESTORED: Texts(
        Severity.CRITICAL,
        "the database was restored from a backup",
        "The controller's database was restored from a backup, or lost its latest changes: its newest sign of a living "
        "controller is from {newest}. What was decided, sent to hosts and counted in the caps since then is unknown. "
        "{held}",
        "hostfence fences nothing and starts nothing elsewhere until a person lifts the pause made for it. "
        "It goes on watching, and tells you of silent hosts.",
        "Compare mode, action and the power devices' addresses and passwords with what you know, and look which hosts "
        "were powered off since the backup. Then lift the pause, and retry each held incident.",
    ),
    NoticeKind.CLOUD_TROUBLE: Texts(
        Severity.WARNING,
        "the cloud does not answer",
        "For {minutes} minutes the cloud has told nothing about its hosts: {trouble}.",
        "Until it does, hostfence cuts no power, for it cannot know where the machines are. It goes on "
        "watching, and tells you of silent hosts.",
        "Look at the management server, and at hostfence's API key.",
    ),
    NoticeKind.CLOUD_IS_BACK: Texts(
        Severity.INFO,
        "the cloud answers again",
        "The cloud tells about its hosts again, after {minutes} minutes.",
        "hostfence goes on as before.",
        "Nothing is needed.",
    ),
    NoticeKind.DIGEST: Texts(
        Severity.INFO,
        "many decisions in one message",
        "{count} decisions in one message, because there are so many at once. {hosts}.",
        "Each goes on as its incident's page says. Further decisions come together, once a minute at most, until there "
        "are fewer.",
        "To stop all power commands that have not been sent yet, pause fencing for the cluster or for everything. What "
        "can be done about one host stands on its incident's page.",
    ),
    NoticeKind.TEST: Texts(
        Severity.INFO,
        "this is a test, nothing has happened",
        "This is a test of the channel {channel}, asked for by {by}. Nothing has happened to any host.",
        "Nothing: this is only a test.",
        "Nothing is under way, so there is nothing to stop.",
    ),
}
"""Every :class:`NoticeKind` there is."""

EFFECT_FAILED: dict[EffectKind, NoticeKind] = {
    EffectKind.QUARANTINE: NoticeKind.QUARANTINE_FAILED,
    EffectKind.UNQUARANTINE: NoticeKind.UNQUARANTINE_FAILED,
    EffectKind.RELEASE: NoticeKind.RELEASE_FAILED,
    EffectKind.BLINK: NoticeKind.BLINK_FAILED,
    EffectKind.BLINK_OFF: NoticeKind.BLINK_OFF_FAILED,
    EffectKind.POWER_ON: NoticeKind.POWER_ON_FAILED,
}
"""Which notice tells of a side effect that could not be had."""
