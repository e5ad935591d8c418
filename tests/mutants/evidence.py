"""Mutations of what is believed, and when: rules 2 (dead and fresh), 3 (unknown), 10 (life), 12 (clocks)."""

from tests.mutants.mutation import STORIES, Change, Mutation, Tests

FENCING = "controller/engine/steps/fencing.py"
INCIDENTS = "controller/services/incidents.py"
JUDGE = "controller/domain/judge.py"
RBD = "probe_agent/probes/rbd.py"
TRANSLATE = "controller/probing/translate.py"
MANUAL = "controller/services/manual_power.py"
SAFEGUARDS = "controller/domain/safeguards.py"
STEADY = "controller/domain/steady.py"
TALLY = "controller/domain/tally.py"
SQL_CLOCK = "controller/db/clock.py"
TRACKER = "probe_agent/tracker.py"
MOUNTS = "probe_agent/mounts.py"
POOLS = "probe_agent/pools.py"
FILE_PROBE = "probe_agent/probes/file.py"
AGENTS_CLOCK = "probe_agent/clock.py"

LAST_LOOK = "if back or judgement.verdict is not Verdict.DEAD:\n            await _not_dead"
LAST_LOOK_IGNORED = LAST_LOOK.replace("back or judgement.verdict is not Verdict.DEAD", "back")
NOT_DEAD = "if newest.verdict is not Verdict.DEAD:\n        found.append(Reason.NOT_DEAD)"
NOT_DEAD_IGNORED = NOT_DEAD.replace("newest.verdict is not Verdict.DEAD", "False")

MUTATIONS = (
    Mutation(
        "the-last-round-need-not-be-dead",
        2,
        "the intent is stored after a last look that was not conclusive",
        (Change(FENCING, LAST_LOOK, LAST_LOOK_IGNORED), Change(SAFEGUARDS, NOT_DEAD, NOT_DEAD_IGNORED)),
    ),
    Mutation(
        "safeguards-not-asked-again",
        2,
        "what was armed at the decision is taken for armed at the intent",
        (Change(FENCING, "            *await refused_now(change, incident, scene, facts.cloud),\n", ""),),
    ),
    Mutation(
        "any-age-of-a-round",
        2,
        "the intent does not ask how old the newest round is",
        (
            Change(
                SAFEGUARDS,
                "if not timedelta(0) <= now - newest.at < ROUND_FRESH_IN_INTERVALS * policy.check_interval:",
                "if not newest:",
            ),
        ),
        Tests(("tests/unit/domain/test_safeguards.py",)),
    ),
    Mutation(
        "sent-whenever-it-gets-there",
        2,
        "a command may leave long after its intent",
        (
            Change(FENCING, "SEND_WITHIN_S = 5.0", "SEND_WITHIN_S = 900.0"),
            Change(
                FENCING,
                "not_after = min(intended_by + SEND_WITHIN_S, step.lease_ends())",
                "not_after = intended_by + SEND_WITHIN_S",
            ),
        ),
        STORIES,
    ),
    Mutation(
        "one-dead-round-is-enough",
        2,
        "neither the count of dead rounds nor the span of silence is waited for",
        (
            Change(
                TALLY,
                "tally.dead >= policy.rounds_needed and tally.silence >= policy.min_silence",
                "tally.dead >= min(1, policy.rounds_needed)",
            ),
        ),
    ),
    Mutation(
        "pauses-are-not-read",
        2,
        "a pause refuses nothing",
        (Change(SAFEGUARDS, "for pause in facts.pauses", "for pause in facts.pauses[:0]"),),
    ),
    Mutation(
        "people-need-no-force",
        2,
        "a person's power-down against life goes through without force",
        (Change(MANUAL, "if action.destructive and not force:", "if action.destructive and not action:"),),
        Tests(("tests/scenarios/test_manual_power.py",)),
    ),
    Mutation(
        "unreadable-is-silent",
        3,
        "a file that could not be read, and a pool nobody could look at, count as unmoved",
        (
            Change(
                JUDGE,
                "state is None:\n        return None, Reason.STORAGE_UNREADABLE\n    before",
                "state is None:\n        return None, None\n    before",
            ),
            Change(
                JUDGE,
                "    if pool is None:\n        return life, [*doubts, Reason.STORAGE_UNREADABLE]",
                "    if pool is None:\n        return life, doubts",
            ),
            Change(
                JUDGE,
                "    if pool.code is not None:\n        return life, [*doubts, Reason.STORAGE_UNREADABLE]",
                "    if pool.code is not None:\n        return life, doubts",
            ),
        ),
    ),
    Mutation(
        "no-positive-control",
        3,
        "a pool that takes no writes at all looks like a silent host",
        (Change(JUDGE, "if not _own_beat_moved(pool.own", "if pool.own is None and not _own_beat_moved(pool.own"),),
        STORIES,
    ),
    Mutation(
        "inconclusive-counts-as-dead",
        3,
        "rounds in which nothing could be told add to the silence",
        (
            Change(
                TALLY,
                "        case Verdict.INCONCLUSIVE:\n            return tally\n        case Verdict.DEAD:",
                "        case Verdict.INCONCLUSIVE | Verdict.DEAD:",
            ),
        ),
    ),
    Mutation(
        "one-witness-is-enough",
        3,
        "the number of witnesses asked for is not waited for",
        (Change(JUDGE, "< max(1, policy.witnesses_required)", "< min(1, policy.witnesses_required)"),),
    ),
    Mutation(
        "a-kernel-that-answers-is-dead",
        3,
        "an address that answers without an agent is no doubt",
        (Change(JUDGE, "if Reach.KERNEL_ANSWERS in reaches:", "if not reaches:"),),
    ),
    Mutation(
        "stale-heartbeats-are-fresh",
        3,
        "a heartbeat that nobody sampled for minutes counts as one that stands still",
        (
            Change(
                JUDGE,
                "    if beat is None or not beat.known:\n        return False\n    limit",
                "    if beat is None:\n        return False\n    return True\n    limit",
            ),
        ),
        Tests(("tests/unit/domain/test_judge.py", "tests/unit/domain/test_judge_properties.py")),
    ),
    Mutation(
        "life-that-others-saw-is-ignored",
        10,
        "a sign of life that another controller noted neither resets the count nor refuses the intent",
        (
            Change(INCIDENTS, "lived = replace(incident, life_at=now, tally=Tally())", "lived = incident"),
            Change(
                SAFEGUARDS,
                "if incident.life_at is not None and incident.life_at >= _silence_began(incident):",
                "if incident.life_at is not None and incident.life_at > now:",
            ),
        ),
        Tests(("tests/scenarios/test_steps.py", "tests/unit/domain/test_safeguards.py")),
    ),
    Mutation(
        "heartbeats-are-no-life",
        10,
        "a heartbeat that moves is taken for one that stands still",
        (
            Change(
                JUDGE,
                "    return not beat.withdrawn or beat.boot_id != before[0]",
                "    return not beat.withdrawn and beat.boot_id == before",
            ),
        ),
        STORIES,
    ),
    Mutation(
        "an-agent-that-answers-a-witness-is-no-life",
        10,
        "only what the controller itself reaches counts",
        (Change(JUDGE, "if report.reach is Reach.AGENT_ANSWERED:\n        life", "if report.failure:\n        life"),),
        STORIES,
    ),
    Mutation(
        "disks-are-no-life",
        10,
        "a disk that is written is taken for one that stands still",
        (Change(JUDGE, "    if moved(before, reading.state):\n        return Reason.DISKS_MOVE, None\n", ""),),
        STORIES,
    ),
    Mutation(
        "silence-outvotes-life",
        10,
        "a round with life and without doubts is dead: the order of the two questions is turned round",
        (
            Change(
                JUDGE,
                "    if life:\n        verdict, reasons = Verdict.ALIVE",
                "    if life and doubts:\n        verdict, reasons = Verdict.ALIVE",
            ),
            Change(JUDGE, "if len({f.witness_id for f in silent}) <", "if len({f.witness_id for f in findings}) <"),
            Change(JUDGE, "needed <= covered:", "needed <= (covered or needed):"),
        ),
    ),
    Mutation(
        "steps-of-the-clock-are-time",
        12,
        "a leap of the database's clock is taken for time that passed",
        (
            Change(
                STEADY,
                "return difference if abs(difference) > tolerance else timedelta(0)",
                "return timedelta(0) if abs(difference) > tolerance else timedelta(0)",
            ),
        ),
    ),
    Mutation(
        "every-clock-step-taken-back-twice",
        12,
        "a step is corrected with the wrong sign",
        (Change(STEADY, "correction=base.correction - step", "correction=base.correction + step"),),
        STORIES,
    ),
    Mutation(
        "the-high-water-mark-is-ignored",
        12,
        "a process that starts after a step backwards lives in the past",
        (Change(STEADY, "if base.high_water is None or base.time(wall) >= base.high_water:", "if base:"),),
        Tests(("tests/integration/db/test_clock.py", "tests/unit/domain/test_steady.py")),
    ),
    Mutation(
        "an-image-nobody-was-seen-to-hold",
        3,
        "no watcher is silence although the host was never seen alive in any way",
        (Change(JUDGE, "memory.held.issuperset(readings) or ", "True or "),),
        Tests(("tests/unit/domain/test_judge_holding.py",)),
    ),
    Mutation(
        "a-pool-of-images-without-one",
        3,
        "a pool of images of which nothing was read is covered",
        (Change(JUDGE, "    if not readings:\n        doubts.append(Reason.STORAGE_UNREADABLE)\n", ""),),
        Tests(("tests/unit/domain/test_judge_holding.py",)),
    ),
    Mutation(
        "an-answer-of-ceph-that-is-not-understood",
        3,
        "an answer without watchers' addresses is nobody's hold",
        (Change(RBD, '_address(watcher["address"]) for watcher in watchers', '"" for watcher in watchers or []'),),
        Tests(("tests/unit/probe_agent/test_rbd.py",)),
    ),
    Mutation(
        "somebody-elses-image",
        3,
        "an image that another host holds is silent for this one",
        (Change(TRANSLATE, "    if reading.held_by:\n        return _held(reading, subject_address)\n", ""),),
        Tests(("tests/unit/probing/test_translate.py",)),
    ),
    Mutation(
        "any-cluster-of-ceph-will-do",
        3,
        "a witness that asks another cluster is as good as any",
        (Change(JUDGE, "if _saw_different_storage(facts):", "if False:"),),
        Tests(("tests/unit/domain/test_judge_holding.py",)),
    ),
    Mutation(
        "newer-instead-of-different",
        12,
        "a storage server whose clock jumped back hides every write",
        (
            Change(
                JUDGE,
                "(before.size, before.blocks, before.mtime_ns, before.ctime_ns) != (",
                "now.mtime_ns > before.mtime_ns and (1, 1, 1, 1) != (",
            ),
        ),
        Tests(("tests/unit/domain/test_judge.py", "tests/unit/domain/test_judge_properties.py")),
    ),
    Mutation(
        "the-databases-clock-as-it-is",
        12,
        "the correction that all controllers share is not applied",
        (Change(SQL_CLOCK, "told = steady.base.time(steady.wall)", "told = steady.wall"),),
        Tests(("tests/integration/db/test_clock.py",)),
    ),
    Mutation(
        "a-heartbeat-of-two-hosts-is-believed",
        3,
        "the silence of a record that two hosts write counts as that of the one it is named after",
        (Change(JUDGE, "if beat is not None and beat.known and beat.disputed:", "if False:"),),
        Tests(("tests/unit/domain/test_judge.py", "tests/scenarios/test_witnesses.py")),
    ),
    Mutation(
        "a-movement-nobody-saw-is-new",
        3,
        "a heartbeat that stopped while a pool hung for an hour passes for one seen moving just now",
        (Change(TRACKER, "sample.at if sample.at - before.at <= gap_s else before.at", "sample.at"),),
        Tests(("tests/unit/probe_agent/test_tracker.py", "tests/unit/probe_agent/test_recollection.py")),
    ),
    Mutation(
        "a-mount-that-answers-from-memory-is-read",
        3,
        "a softerr mount's old mtime is silence while its server is gone",
        (Change(MOUNTS, '("softerr", "softreval")', "()"),),
        Tests(("tests/unit/probe_agent/test_small_parts.py",)),
    ),
    Mutation(
        "another-mount-than-the-one-meant",
        3,
        "what was unmounted or mounted over between the look at the table and the opening is taken for the pool",
        (Change(POOLS, "            _refuse_another(_mount_id(fd), mounts)\n", "            pass\n"),),
        Tests(("tests/unit/probe_agent/test_safe_paths.py",)),
    ),
    Mutation(
        "a-look-that-came-late-is-in-time",
        3,
        "an answer that storage gave after the deadline counts as a reading of this round",
        (Change(FILE_PROBE, "            if ended > until_ns:\n", "            if False:\n"),),
        Tests(("tests/integration/probe_agent/test_real_mounts.py::TestHanging",)),
    ),
    Mutation(
        "an-agents-clock-that-can-be-set",
        12,
        "a step of a witness's clock makes a living heartbeat old",
        (Change(AGENTS_CLOCK, "time.clock_gettime(time.CLOCK_BOOTTIME)", "time.time()  # noqa: TID251"),),
        Tests(("tests/integration/probe_agent/test_heartbeats.py",)),
    ),
)
