"""Mutations where the engine meets a cloud: what a cloud says, where machines are, and how they are let go."""

from tests.mutants.mutation import Change, Mutation, Tests

ADAPTER = "controller/cloud/cloudstack/adapter.py"
CLOUD_WATCH = "controller/engine/cloud_watch.py"
EFFECTS = "controller/engine/effects.py"
LOOK = "controller/services/look.py"
PLACEMENT = "controller/cloud/cloudstack/placement.py"
POLLS = "controller/cloud/cloudstack/polls.py"
RELEASE = "controller/cloud/cloudstack/release.py"
SAFEGUARDS = "controller/domain/safeguards.py"

_ADAPTER_TESTS = Tests(
    (
        "tests/integration/cloud/test_cloudstack_adapter.py",
        "tests/integration/cloud/test_cloudstack_release.py",
    )
)
_STORIES = Tests(("tests/scenarios/test_cloudstack_stories.py", "tests/scenarios/test_slow_release.py"))

MUTATIONS = (
    Mutation(
        "released-before-it-was-said",
        1,
        "machines start elsewhere before it is stored that they will",
        (
            Change(
                RELEASE,
                'return self._pending("about to let its machines start elsewhere")',
                "pass",
            ),
        ),
        _ADAPTER_TESTS,
    ),
    Mutation(
        "what-runs-elsewhere-is-evidence",
        1,
        "the disks of machines that a release has begun still count for the old host",
        (Change(LOOK, ".without(incident.begun)", ""),),
        _STORIES,
    ),
    Mutation(
        "an-unreadable-placement-is-none",
        3,
        "a cloud that does not tell where machines are is taken for one that says: nowhere",
        (
            Change(
                ADAPTER,
                'log.warning("placement cannot be read", host=host.name, error=str(error))\n'
                "            return DiskList(known=False)",
                "return DiskList(known=True)",
            ),
        ),
        _ADAPTER_TESTS,
    ),
    Mutation(
        "machines-elsewhere-are-evidence",
        3,
        "the disk of a machine that the cloud runs on another host tells of the old one",
        (Change(PLACEMENT, "left = everything.without(elsewhere)", "left = everything"),),
        _ADAPTER_TESTS,
    ),
    Mutation(
        "a-cloud-in-trouble-is-believed",
        3,
        "after a restart of the management server every host counts as lost",
        (Change(POLLS, "known=not polls.trouble, hosts=() if polls.trouble else hosts", "known=True, hosts=hosts"),),
        _ADAPTER_TESTS,
    ),
    Mutation(
        "two-may-fence-one-host",
        4,
        "a host whose BMC the cloud's own host HA drives is fenced by hostfence, too",
        (Change(SAFEGUARDS, "        (host.cloud_ha, Reason.HOST_HA_ON),\n", ""),),
        _STORIES,
    ),
    Mutation(
        "a-lost-answer-loses-what-was-before",
        8,
        "a host that was disabled by a call whose answer was lost is never enabled again",
        (Change(EFFECTS, "job = replace(job, effect=replace(job.effect, earlier=result.earlier))", "pass"),),
        Tests(("tests/scenarios/test_beside_incidents.py",)),
    ),
    Mutation(
        "the-clouds-own-agent-is-the-host",
        10,
        "a host that answers hostfence is suspected because the cloud has lost it",
        (Change(CLOUD_WATCH, ".answered:", ".boot_id is None:"),),
        Tests(("tests/scenarios/test_cloud_watch.py",)),
    ),
)
