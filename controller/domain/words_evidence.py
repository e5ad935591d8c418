"""Words for what was seen: signs of life, and why a check round could not conclude. Read by ``words``."""

from controller.domain.reasons import Reason

EVIDENCE: dict[Reason, tuple[str, str]] = {
    # signs of life
    Reason.AGENT_ANSWERS: (
        "The probe agent on the host itself answers, so the host is running.",
        "Nothing for hostfence. If the cloud still shows the host as down, look at the cloud's agent.",
    ),
    Reason.HEARTBEAT_MOVES: (
        "The host still writes its heartbeat on the shared storage, so it is running.",
        "Do not cut its power by hand. Look for a network fault between the host and the controller.",
    ),
    Reason.DISKS_MOVE: (
        "Disks of the host's virtual machines are still being written to, or held open.",
        "Do not cut its power and do not start its machines elsewhere: they are running now.",
    ),
    Reason.CLOUD_HEARTBEAT_MOVES: (
        "CloudStack's own heartbeat file of the host still changes, so the host is running.",
        "Do not cut its power by hand. Look at the host's network and at its probe agent.",
    ),
    Reason.CLOUD_SAW_RETURN: (
        "The cloud saw the host come back up.",
        "Nothing, unless it goes silent again.",
    ),
    Reason.AGENT_ONLY: (
        "Only the probe agent is gone: the host still writes its heartbeat.",
        "Look at the hostfence-agent service on the host, and at the network to it.",
    ),
    Reason.DISK_MOVES_WITHOUT_HEARTBEAT: (
        (
            "Disk files of the host's machines change although its heartbeat has stopped. Either the "
            "heartbeat service died on a living host, or somebody else writes to these disks."
        ),
        (
            "Find out who writes: log in to the host or its console. Do not start its machines "
            "elsewhere before you know."
        ),
    ),
    # why a round is not conclusive
    Reason.KERNEL_ANSWERS: (
        (
            "The host's address accepts or refuses connections at once: a running kernel answers there, "
            "even though the probe agent does not."
        ),
        "Log in to the host or its console; restart the probe agent if the host is well.",
    ),
    Reason.REACH_UNKNOWN: (
        "It could not be established whether the host's address answers.",
        "Check that controllers and neighbors can reach the host's network at all.",
    ),
    Reason.WITNESS_SILENT: (
        "A neighbor that was asked gave no usable answer in time.",
        "Check the probe agent on the neighbors (service, firewall, token).",
    ),
    Reason.WITNESS_INCOMPATIBLE: (
        "A neighbor runs a probe agent of another version that this controller does not understand.",
        "Bring the probe agents and the controller to the same version.",
    ),
    Reason.WITNESS_SUSPECTED: (
        "A neighbor was not asked because it is under suspicion itself.",
        "Look at that neighbor's incident as well: several hosts in trouble point to network or storage.",
    ),
    Reason.TOO_FEW_WITNESSES: (
        "Not enough neighbors could see for themselves that the host is silent.",
        ("Get the neighbors' probe agents answering, or look at the host yourself and acknowledge that it is off."),
    ),
    Reason.STORAGE_UNREADABLE: (
        "A neighbor could not read the shared storage, or not freshly, so its view counts for nothing.",
        (
            "Check the storage server and its mounts on the neighbors: this may be a storage fault "
            "rather than a dead host."
        ),
    ),
    Reason.NO_BASELINE: (
        "There is no earlier reading to compare with yet.",
        "Wait one check round. If this stays, look at the neighbors' probe agents.",
    ),
    Reason.INODE_CHANGED: (
        (
            "A disk file was replaced by another file since the last look, as a restore, a snapshot or a "
            "storage migration does; or two neighbors read different images of Ceph under one name."
        ),
        "Check whether somebody is working on these disks right now.",
    ),
    Reason.NO_POSITIVE_CONTROL: (
        (
            "A neighbor did not see its own heartbeat arrive on that storage, so silence there proves "
            "nothing: everybody would look dead."
        ),
        "Check the storage: full, read-only or just restarted?",
    ),
    Reason.NO_HEARTBEAT: (
        (
            "The host's heartbeat was not seen moving on the storage shortly before it went silent, so its "
            "silence now means little: idle machines write nothing for a long time."
        ),
        (
            "Look at the host yourself. Later: install the probe agent there and check that its "
            "heartbeat reaches every pool."
        ),
    ),
    Reason.HEARTBEAT_WITHDRAWN: (
        (
            "The heartbeat was stopped in an orderly way (a shutdown, or the agent was stopped), so its "
            "silence does not show that the host died."
        ),
        (
            "Ask who stopped it. If the host was shut down on purpose, acknowledge that it is off, or "
            "put it in maintenance."
        ),
    ),
    Reason.HEARTBEAT_DISPUTED: (
        (
            "Two hosts write the heartbeat record of this host, so its silence shows the death of neither: the "
            "other one may have written what was seen last."
        ),
        (
            "Look for a host whose agent was given this host's id, for instance a copy of its system disk, and "
            "give it the id that hostfence shows for it."
        ),
    ),
    Reason.POOL_NOT_COVERED: (
        "No neighbor could look at one of the storage pools that hold this host's disks.",
        "Check that at least one neighbor mounts every pool of the cluster.",
    ),
    Reason.DISKS_UNKNOWN: (
        "The list of the host's virtual machines and disks could not be read.",
        "Check that the cloud's API answers and that its key may list machines and volumes.",
    ),
    Reason.UNCHECKABLE_DISKS: (
        (
            "Some machines have disks that no neighbor can see (local or block storage), so nobody can "
            "tell whether they are being written to."
        ),
        "Look at the host yourself, or accept this risk in the settings (accept uncheckable disks).",
    ),
    Reason.PLACED_ELSEWHERE: (
        (
            "The cloud now places some of this host's machines on another host. Their disks prove nothing "
            "about this host any more."
        ),
        "Check at once that none of these machines runs twice.",
    ),
    Reason.NOT_SILENT_LONG_ENOUGH: (
        "The host has not been silent for long enough yet.",
        "Wait: the checks go on by themselves.",
    ),
    # what the cloud says
    Reason.CLOUD_SAYS_UP: (
        "The cloud still shows the host as Up. hostfence waits until two independent observers agree.",
        "Wait for the cloud to notice (some minutes), or look at the host yourself.",
    ),
    Reason.CLOUD_UNREACHABLE: (
        (
            "The cloud's API does not answer, so hostfence knows neither what it thinks of the host nor "
            "where the machines are now."
        ),
        "Check the management server and the API key. The checks go on by themselves.",
    ),
    Reason.HOST_HA_ON: (
        "The cloud's own host HA is on for this host: it drives the same BMC, without hostfence's evidence or proof.",
        "Let one of the two fence. To let it be hostfence: disableHAForHost in CloudStack (Host HA off on its page).",
    ),
    Reason.RELEASED_BY_CLOUD: (
        (
            "The cloud started some of this host's machines elsewhere before the host was proven off: for a while two "
            "may have written to the same disks."
        ),
        "Check the file systems and databases of these machines now, before they are trusted.",
    ),
}
"""reason -> (what it means, what to do)"""
