"""Words for safeguards, for what follows a decision, and for what people did. Read by ``words``."""

from controller.domain.reasons import Reason

ACTING: dict[Reason, tuple[str, str]] = {
    # safeguards
    Reason.OBSERVE_MODE: (
        "hostfence is in observe mode for this host: it watches and tells, and sends no command.",
        (
            "To let it act, set mode to enforce for everything, the cluster and the host, after "
            "reading the readiness page."
        ),
    ),
    Reason.PAUSED: (
        "Somebody, or hostfence itself, has paused fencing here.",
        "Read the reason of the pause and lift it when it no longer holds.",
    ),
    Reason.EXCLUDED: (
        "This host is excluded from fencing.",
        "Look after it by hand, or remove the exclusion.",
    ),
    Reason.MAINTENANCE: (
        "The host is in maintenance, so its silence may well be wanted.",
        "Ask who is working on it. End the maintenance if nobody is.",
    ),
    Reason.NOT_REARMED: (
        "Since its last incident the host has not been seen healthy, so no new incident is opened for it.",
        "Bring the host back, or re-arm it on its page.",
    ),
    Reason.CONTROLLERS_OWN_HOST: (
        "A hostfence controller runs on this host, and hostfence never cuts the power under itself.",
        "Look after this host by hand. Better: move the controller off the hosts it guards.",
    ),
    Reason.NOT_CONFIGURED: (
        "No usable power control (BMC) is configured for this host.",
        "Enter its BMC address and credentials and press Test, or cut the power by hand and acknowledge.",
    ),
    Reason.DRIVER_CANNOT_PROVE: (
        ("The configured power driver cannot read the power state, so it can never prove that the host is off."),
        "Configure a status command, or cut the power by hand and acknowledge.",
    ),
    Reason.BMC_SHARED: (
        "Another host has the same BMC configured: cutting the power might hit the wrong machine.",
        "Correct the BMC address of one of the two hosts.",
    ),
    Reason.BMC_ADDRESS_REFUSED: (
        "The BMC address is one hostfence does not talk to (loopback or link-local).",
        "Enter the BMC's real address.",
    ),
    Reason.BMC_UNPROVEN: (
        ("This BMC was never seen saying 'on' while the host was alive, so its 'off' may be another machine's."),
        "Verify with your own eyes that the host is off, then acknowledge. Later: check the BMC address.",
    ),
    Reason.CAP_REACHED: (
        "This cluster has used up the number of power-downs it may have in its time window.",
        (
            "Find out why so many hosts fail. The hold ends by itself when the window has moved on; "
            "raise the cap only if you are sure."
        ),
    ),
    Reason.GLOBAL_CAP_REACHED: (
        "All clusters together have used up the number of power-downs allowed in the time window.",
        "Find out why so many hosts fail. The hold ends by itself when the window has moved on.",
    ),
    Reason.STORM: (
        (
            "More hosts of this cluster went silent at once than hostfence may take down. That is usually "
            "the network or the storage, not the hosts."
        ),
        "Check switches and storage first. Only their return, or your decision, ends this hold.",
    ),
    Reason.STORM_COOLDOWN: (
        "Many hosts went silent at once a moment ago; hostfence waits until the cluster has calmed down.",
        "Nothing now: this ends by itself. Check that network and storage are stable.",
    ),
    Reason.CLUSTER_UNHEALTHY: (
        "Too large a part of the cluster is suspect or already fenced.",
        "Bring hosts back, or decide about each one yourself.",
    ),
    Reason.STARTUP_QUIET: (
        "hostfence, or the cloud's management server, has only just started; first it listens.",
        "Nothing: this ends by itself after some minutes.",
    ),
    Reason.DATABASE_RESTORED: (
        (
            "The controller's database was restored from a backup or lost its latest changes: what was decided, "
            "sent and counted since then is unknown."
        ),
        "Compare settings and hosts with what you know. Then lift the pause, and retry each held incident.",
    ),
    Reason.ISOLATED: (
        "The controller can reach none of the neighbors: the trouble may be its own network.",
        "Check the controller's network. Nothing is sent until a neighbor answers.",
    ),
    Reason.OPERATION_IN_FLIGHT: (
        "Another power operation is under way on this host or on its BMC.",
        "Wait for it to end.",
    ),
    Reason.CONCURRENCY: (
        "The cluster already has as many hosts being fenced at once as allowed.",
        "Nothing: this host's turn comes when another is done.",
    ),
    Reason.COMMAND_BUDGET: (
        "All power commands that one incident may send have been sent.",
        "Look at the host and at its BMC by hand; acknowledge when the host is off.",
    ),
    Reason.EVIDENCE_STALE: (
        "The newest check round is too old to act on; a fresh one is needed.",
        "Nothing: the next round comes by itself.",
    ),
    Reason.NOT_DEAD: (
        "The newest check round did not find the host dead.",
        "Nothing: the checks go on.",
    ),
    Reason.LIFE_SINCE: (
        "The host showed a sign of life after it had been found dead.",
        "Do not start its machines elsewhere. Look at the host.",
    ),
    # after the decision
    Reason.BMC_UNREACHABLE: (
        "The host's BMC does not answer.",
        "Check the BMC network and credentials. Or cut the power by hand and acknowledge.",
    ),
    Reason.BMC_SETTLING: (
        ("The BMC was out of reach a moment ago; its 'off' counts only after it has answered steadily for a while."),
        "Nothing: this ends by itself in a few minutes.",
    ),
    Reason.OFF_NOT_PROVEN: (
        "It could not be proven that the host's power is off, so its machines were not started elsewhere.",
        "Look at the host. When it is off for certain (pull the plug), acknowledge it.",
    ),
    Reason.CONTRADICTION: (
        "The evidence contradicts itself: there was a sign of life, or a new boot, after the power command.",
        (
            "Do not start the machines elsewhere. Check which machine the BMC really controls, and look "
            "at the host's console."
        ),
    ),
    Reason.OTHER_HOST_VANISHED: (
        "Another host vanished just when this one's power was cut: the BMC may belong to the wrong machine.",
        "Check at once which machine lost its power, and compare the BMC addresses of both hosts.",
    ),
    Reason.RELEASE_FAILED: (
        "The host is off, but the cloud did not let its virtual machines start elsewhere.",
        "Look at the cloud's errors; start the machines by hand if need be: the host is off.",
    ),
    # what people and the world did
    Reason.NOTHING_TO_RELEASE: (
        "No virtual machine runs on this host, so cutting its power would help nobody.",
        "Repair the host when it suits you.",
    ),
    Reason.ACTION_NONE: (
        "The action set for this host is 'none': tell, and leave the host alone.",
        "Look after the host by hand.",
    ),
    Reason.ACTION_BLINK: (
        "The action set for this host is 'blink': light its LED, and leave it running.",
        "Go to the host with the blinking LED.",
    ),
    Reason.HOST_DEAD: (
        (
            "Enough neighbors saw, often enough and for long enough, that neither the host's heartbeat nor "
            "its disks move and that its address does not answer."
        ),
        "Find out why the host died.",
    ),
    Reason.ALREADY_OFF: (
        "The host's power was off already when it was first read; no command was needed.",
        "Find out who or what switched it off.",
    ),
    Reason.PROVEN_OFF: (
        "The BMC said 'off' in several reads in a row.",
        "Nothing: the virtual machines may start elsewhere.",
    ),
    Reason.ACKNOWLEDGED: (
        "A person vouched that the host is off.",
        "Keep it off until hostfence says that the incident is closed.",
    ),
    Reason.OPERATOR: (
        "A person decided this.",
        "Ask the person named in the timeline.",
    ),
    Reason.STEP_FAILED: (
        "hostfence met an unexpected error of its own; it did nothing to the host and tries again.",
        "If this stays, look at the controller's log and report it.",
    ),
}
"""reason -> (what it means, what to do)"""
