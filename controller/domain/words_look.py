"""Where to look, for each reason: what shows the person on call how it stands. Read by ``words``; the runbook shows it.

``HOST``, ``NEIGHBOR`` and ``POOL`` stand for names. Nothing here changes anything.
"""

from controller.domain.reasons import Reason

_INCIDENT = "hostfence incidents show HOST: its newest rounds say who saw what."
_EXPLAIN = "hostfence explain HOST"

LOOK: dict[Reason, str] = {
    # signs of life
    Reason.AGENT_ANSWERS: "hostfence hosts HOST: when its agent answered last. On the host: uptime, virsh list.",
    Reason.HEARTBEAT_MOVES: f"{_INCIDENT} ls -l --time-style=full-iso POOL/.hostfence on any neighbor, twice.",
    Reason.DISKS_MOVE: f"{_INCIDENT} stat on a disk file of the host from a neighbor, twice, some seconds apart.",
    Reason.CLOUD_HEARTBEAT_MOVES: "POOL/KVMHA/hb-ADDRESS on a neighbor, twice. The host's console.",
    Reason.CLOUD_SAW_RETURN: "The host's state and its events in the cloud's own UI.",
    Reason.AGENT_ONLY: "On the host: systemctl status hostfence-agent, journalctl -u hostfence-agent.",
    Reason.DISK_MOVES_WITHOUT_HEARTBEAT: (
        "On the host or its console: systemctl status hostfence-agent-heartbeat, virsh list. Elsewhere: a "
        "backup, a copy "
        "or a migration that has these disks open."
    ),
    # why a round is not conclusive
    Reason.KERNEL_ANSWERS: "ping and ssh to the host; its console through the BMC; systemctl status hostfence-agent.",
    Reason.REACH_UNKNOWN: "From a controller and from a neighbor: a route and a name for the host's address.",
    Reason.WITNESS_SILENT: (
        "hostfence hosts NEIGHBOR; on it: systemctl status hostfence-agent; from the controller: its port (8441)."
    ),
    Reason.WITNESS_INCOMPATIBLE: "hostfence doctor: the versions of agents and controllers.",
    Reason.WITNESS_SUSPECTED: "hostfence status: the other open incidents, and what they have in common.",
    Reason.TOO_FEW_WITNESSES: f"{_EXPLAIN}: which neighbors could tell, and what stands against the others.",
    Reason.STORAGE_UNREADABLE: (
        "hostfence hosts NEIGHBOR: how each pool is mounted there, and why it cannot be read. The storage "
        "server: load, "
        "free space, its log."
    ),
    Reason.NO_BASELINE: f"{_INCIDENT} This is normal for the very first round.",
    Reason.INODE_CHANGED: (
        "The cloud's list of running jobs: restores, snapshots, storage migrations of these machines."
    ),
    Reason.NO_POSITIVE_CONTROL: (
        "On a neighbor: df POOL, ls -l POOL/.hostfence, systemctl status hostfence-agent-heartbeat. "
        "The storage server: full, read-only, restarted?"
    ),
    Reason.NO_HEARTBEAT: (
        f"{_EXPLAIN}: on which pools it was not seen. On the host: systemctl status hostfence-agent-heartbeat, "
        "ls -l POOL/.hostfence."
    ),
    Reason.HEARTBEAT_WITHDRAWN: (
        "Who worked on the host: last, journalctl -u hostfence-agent-heartbeat, the change calendar."
    ),
    Reason.HEARTBEAT_DISPUTED: (
        "HOSTFENCE_AGENT_HOST_ID in /etc/hostfence-agent/agent.conf on every host of the cluster."
    ),
    Reason.POOL_NOT_COVERED: "hostfence readiness CLUSTER; mount on each neighbor: who has that pool?",
    Reason.DISKS_UNKNOWN: (
        "GET /api/v1/cloud, or hostfence doctor: what the cloud's API answers, and what its key may not do."
    ),
    Reason.UNCHECKABLE_DISKS: f"{_EXPLAIN}: it names the disks. The host's console: does the host live?",
    Reason.PLACED_ELSEWHERE: (
        "In the cloud: where each machine of this host runs now, and since when. On both hosts, if they "
        "answer: virsh list."
    ),
    Reason.NOT_SILENT_LONG_ENOUGH: f"{_EXPLAIN}: how many seconds it takes under today's settings.",
    # what the cloud says
    Reason.CLOUD_SAYS_UP: "The host's state in the cloud's own UI, and its ping time-out. The host's console.",
    Reason.CLOUD_UNREACHABLE: (
        "hostfence doctor: the cloud's own words. The management server, its log, its load balancer."
    ),
    Reason.HOST_HA_ON: "The host's page in CloudStack: Host HA, and its state.",
    Reason.RELEASED_BY_CLOUD: (
        "The list of machines in the mail; in each of them: dmesg, the file system, the database's log."
    ),
    # safeguards
    Reason.OBSERVE_MODE: "hostfence mode, and hostfence mode --host HOST: which level says observe.",
    Reason.PAUSED: "hostfence pauses: who, why, until when.",
    Reason.EXCLUDED: "hostfence hosts HOST; hostfence audit: who excluded it.",
    Reason.MAINTENANCE: "hostfence hosts HOST, and the host's page in the cloud: who has put it into maintenance.",
    Reason.NOT_REARMED: "hostfence hosts HOST: does its agent answer, does the cloud say Up, is it still fenced?",
    Reason.CONTROLLERS_OWN_HOST: "hostfence hosts HOST: runs_controller. Where do the other controllers run?",
    Reason.NOT_CONFIGURED: "hostfence settings get --host HOST: ipmi.* and second.*, and where each value comes from.",
    Reason.DRIVER_CANNOT_PROVE: "hostfence settings get --host HOST: ipmi.driver, ipmi.preset, ipmi.action_status.",
    Reason.BMC_SHARED: "hostfence settings get --host of both hosts: ipmi.host, ipmi.port, ipmi.plug.",
    Reason.BMC_ADDRESS_REFUSED: "hostfence settings get --host HOST: ipmi.host.",
    Reason.BMC_UNPROVEN: (
        "hostfence hosts HOST: when its BMC was read last, what it said, and whether it was ever seen on."
    ),
    Reason.CAP_REACHED: "hostfence incidents: which hosts went down in the time window, and what they have in common.",
    Reason.GLOBAL_CAP_REACHED: (
        "hostfence incidents: which hosts went down in the time window, and what they have in common."
    ),
    Reason.STORM: "hostfence status: who fell silent at once. Switches, storage server, power of the rack.",
    Reason.STORM_COOLDOWN: "hostfence status: is anybody still silent?",
    Reason.CLUSTER_UNHEALTHY: "hostfence status and hostfence hosts --cluster CLUSTER: who is suspect or fenced.",
    Reason.STARTUP_QUIET: "hostfence pauses: until when. The controllers' logs: why they were started.",
    Reason.DATABASE_RESTORED: (
        "hostfence pauses, hostfence incidents, hostfence settings export; which hosts are off, and why?"
    ),
    Reason.ISOLATED: "hostfence doctor; from the controller's machine: ping any host, its route, its switch.",
    Reason.OPERATION_IN_FLIGHT: "hostfence incidents show HOST, hostfence audit: who began it, and when.",
    Reason.CONCURRENCY: "hostfence status: which host is being fenced now.",
    Reason.COMMAND_BUDGET: (
        "hostfence incidents show HOST: every command, and what the BMC answered. The BMC's own page."
    ),
    Reason.EVIDENCE_STALE: f"{_INCIDENT} If it stays: the controller's load, and its database's.",
    Reason.NOT_DEAD: _INCIDENT,
    Reason.LIFE_SINCE: _INCIDENT,
    # after the decision
    Reason.BMC_UNREACHABLE: (
        "hostfence test HOST; ping of the BMC from the controller's machine; the management network."
    ),
    Reason.BMC_SETTLING: "hostfence incidents show HOST: since when it answers again.",
    Reason.OFF_NOT_PROVEN: (
        "hostfence incidents show HOST: every read of the power state. The machine itself, or whoever stands before it."
    ),
    Reason.CONTRADICTION: f"{_INCIDENT} The consoles of this host and of those beside it: which one lost its power?",
    Reason.OTHER_HOST_VANISHED: "The power LEDs of both machines; hostfence settings get --host of both: ipmi.host.",
    Reason.RELEASE_FAILED: "hostfence incidents show HOST: the cloud's own words. The cloud's job list and its log.",
    # what people and the world did
    Reason.NOTHING_TO_RELEASE: "hostfence hosts HOST: the machines that the inventory places there.",
    Reason.ACTION_NONE: "hostfence settings get action --host HOST: which level says none.",
    Reason.ACTION_BLINK: "hostfence settings get action --host HOST; the LEDs in the rack.",
    Reason.HOST_DEAD: f"{_INCIDENT} After its power is back: its log, its BMC's event log.",
    Reason.ALREADY_OFF: "The BMC's event log; the rack's power; hostfence audit.",
    Reason.PROVEN_OFF: "hostfence incidents show HOST: every read of the power state.",
    Reason.ACKNOWLEDGED: "hostfence incidents show HOST: who, when, why.",
    Reason.OPERATOR: "hostfence incidents show HOST, hostfence audit: who, when, why.",
    Reason.STEP_FAILED: "The controller's log, by the incident's id; hostfence doctor.",
}
"""reason -> where to look"""
