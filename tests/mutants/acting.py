"""Mutations of what is done: rules 1 (release), 4 (one operation), 5 (caps), 6 (proof), 8 (intents), 9 (crashes)."""

from tests.mutants.mutation import STORIES, Change, Mutation, Tests

CLAIMS = "controller/db/claims.py"
EFFECTS = "controller/engine/effects.py"
FENCING = "controller/engine/steps/fencing.py"
GATE = "controller/power/gate.py"
GUARD = "controller/db/repositories/acting.py"
MANUAL = "controller/services/manual_power.py"
EVIDENCE_NOW = "controller/services/live_evidence.py"
OPERATOR = "controller/services/operator.py"
PROOF = "controller/domain/proof.py"
RELEASING = "controller/engine/steps/releasing.py"
SAFEGUARDS = "controller/domain/safeguards.py"
SIGNS = "controller/services/signs.py"
STEP = "controller/engine/step.py"
VERIFYING = "controller/engine/steps/verifying.py"

CONCURRENCY = Tests(("tests/integration/db/test_concurrency.py", "tests/contracts/test_store.py"))

IN_FLIGHT_OF = "controller/domain/in_flight.py"
METHODS = "controller/domain/methods.py"
SECOND_DEVICE = Tests(("tests/scenarios/test_second_device.py", "tests/unit/domain/test_methods.py"))
RESTORED = Tests(("tests/scenarios/test_restored.py",))

SEND = """    not_after = min(intended_by + SEND_WITHIN_S, step.lease_ends())
    outcome = await step.world.power.act(
        bmc_target(scene.host, scene.policy),
        PowerAction.OFF,
        # Whoever takes the lease over must find the device free, even while this process is stopped.
        deadline_s=min(COMMAND_DEADLINE_S, step.lease_ends() - step.world.clock.boottime() - DRIVER_GRACE_S),
        not_after=not_after,
    )
"""
INTEND = """    attempt = await _intend(step, scene, facts)
    if attempt is None:
        return
    await signs.remember(step.world, at=attempt.intended_at)
"""
RELEASE_INTENT = """    effect = await _intend(step, scene, facts, others)
    if effect is None:
        return
    if step.world.clock.boottime() > min(looked_at + RELEASE_WITHIN_S, step.lease_ends()):
        raise LeaseLost
"""
RELEASE = "    result = await step.world.cloud.release(scene.host, step.incident.machines, effect.progress)\n"
IN_FLIGHT = "if in_flight(others, host_id=incident.host_id, identity=policy.bmc.identity):"
MANUAL_IN_FLIGHT = "if in_flight(unfinished, host_id=scene.host.id, identity=scene.policy.bmc.identity):"
EFFECTS_IN_FLIGHT = "if in_flight(await tx.attempts_unfinished(), host_id=host.id, identity=bmc.identity):"

MUTATIONS = (
    Mutation(
        "released-against-life",
        1,
        "what lived since the proof does not stop the release",
        (
            Change(RELEASING, "if life or life_since_off(incident):", "if life and not life:"),
            Change(RELEASING, "return () if verdict is Verdict.DEAD else reasons", "return ()"),
        ),
    ),
    Mutation(
        "unknown-is-silent-enough-to-release",
        1,
        "the release does not wait for a conclusive last look",
        (Change(RELEASING, "return () if verdict is Verdict.DEAD else reasons", "return ()"),),
    ),
    Mutation(
        "an-old-proof-will-do",
        1,
        "the power is not read again before the release",
        (
            Change(
                RELEASING,
                "if facts.power is None or incident.acknowledged is not None:\n        return incident",
                "if facts.number:\n        return incident",
            ),
            Change(
                RELEASING, "if not fresh(incident.proof, now=now, within=OFF_READ_WITHIN):", "if not incident.proof:"
            ),
            Change(
                RELEASING,
                "if facts.power is None or facts.power.state is not PowerState.OFF:",
                "if facts.power is not facts.power:",
            ),
        ),
    ),
    Mutation(
        "any-device-is-believed",
        1,
        "off counts from a device that was out of reach a moment ago, or never read on",
        (Change(PROOF, "if why_off_does_not_count(seen,", "if not seen and why_off_does_not_count(seen,"),),
        STORIES,
    ),
    Mutation(
        "other-hosts-may-vanish",
        1,
        "a host that fell silent with the command stops nothing",
        (
            Change(RELEASING, "        if gone and known:\n", "        if gone and not known:\n"),
            Change(RELEASING, "        if gone:\n            wait = (*wait, Reason.OTHER_HOST_VANISHED)\n", ""),
        ),
        STORIES,
    ),
    Mutation(
        "a-person-may-vouch-against-life",
        1,
        "an acknowledgement stands against an agent, a heartbeat or a kernel that answers",
        (
            Change(
                EVIDENCE_NOW, "if against:\n            detail", "if against and not self.facts:\n            detail"
            ),
        ),
        Tests(("tests/scenarios/test_operator.py",)),
    ),
    Mutation(
        "operations-in-flight-are-ignored",
        4,
        "an incident intends its power-down while another operation on the host or the device is open",
        (Change(SAFEGUARDS, IN_FLIGHT, f"others = others[:0]\n    {IN_FLIGHT}"),),
        STORIES,
    ),
    Mutation(
        "people-do-not-wait-their-turn",
        4,
        "a person's command does not look for an operation in flight",
        (Change(MANUAL, MANUAL_IN_FLIGHT, MANUAL_IN_FLIGHT.replace("(unfinished,", "(unfinished[:0],")),),
        STORIES,
    ),
    Mutation(
        "effects-do-not-wait-their-turn",
        4,
        "power-on and LED do not look for an operation in flight",
        (Change(EFFECTS, EFFECTS_IN_FLIGHT, "if await tx.attempts_unfinished() is None:"),),
        STORIES,
    ),
    Mutation(
        "outlets-of-one-device-do-not-wait",
        4,
        "two outlets of one power strip are switched at the same time",
        (Change(IN_FLIGHT_OF, 'return place_of(identity).partition("/")[0]', "return place_of(identity)"),),
        Tests(("tests/unit/domain/test_in_flight.py",)),
    ),
    Mutation(
        "the-gate-stands-open",
        4,
        "one process talks to one device twice at a time",
        (Change(GATE, "        if not lane.taken:\n", "        if lane:\n"),),
        Tests(("tests/unit/power/test_gate.py",)),
    ),
    Mutation(
        "the-guard-locks-nothing",
        4,
        "intents of several controllers are no longer made one after the other",
        (Change(GUARD, "func.pg_advisory_xact_lock(GUARD)", "func.abs(GUARD)"),),
        CONCURRENCY,
    ),
    Mutation(
        "the-guard-locks-shared",
        5,
        "two controllers that race for the last slot both get it",
        (Change(GUARD, "pg_advisory_xact_lock(GUARD)", "pg_advisory_xact_lock_shared(GUARD)"),),
        CONCURRENCY,
    ),
    Mutation(
        "one-more-than-the-cap",
        5,
        "the cap of the cluster is off by one",
        (Change(SAFEGUARDS, "if cluster >= policy.max_actions:", "if cluster > policy.max_actions:"),),
    ),
    Mutation(
        "the-global-cap-counts-one-cluster",
        5,
        "the cap over all clusters looks at a part of them",
        (
            Change(
                SAFEGUARDS,
                "slots(others, since=now - policy.global_action_window, cluster_id=None)",
                "slots(others, since=now - policy.global_action_window, cluster_id=incident.id)",
            ),
        ),
        STORIES,
    ),
    Mutation(
        "half-the-window",
        5,
        "slots come free in the middle of the window",
        (Change(SAFEGUARDS, "since=now - policy.action_window, ", "since=now - policy.action_window / 2, "),),
        STORIES,
    ),
    Mutation(
        "power-downs-take-no-slot",
        5,
        "an intent counts in no cap",
        (
            Change(FENCING, "takes_slot=True", "takes_slot=False"),
            Change(FENCING, "takes_slot=sent", "takes_slot=False"),
        ),
        STORIES,
    ),
    Mutation(
        "an-accepted-off-is-a-proof",
        6,
        "the device's answer counts for reads",
        (
            Change(
                FENCING,
                "            claimed.incident = await change.move(replace(incident, command=command), State.VERIFYING,",
                "            now = claimed.now\n"
                "            proof = replace(incident.proof, reads=9, first_at=now, last_at=now, proven_at=now)\n"
                "            incident = replace(incident, command=command, proof=proof)\n"
                "            claimed.incident = await change.move(incident, State.VERIFYING,",
            ),
        ),
    ),
    Mutation(
        "unknown-reads-are-off",
        6,
        "a device that does not answer after the command is taken for off",
        (
            Change(
                PROOF,
                "            return _void(replace(seen, unreachable_at=at))",
                "            return _one_more_off(seen, at=at, policy=policy)",
            ),
        ),
    ),
    Mutation(
        "one-off-read-proves",
        6,
        "the reads are not counted",
        (Change(PROOF, "reads >= policy.off_reads", "reads >= min(1, policy.off_reads)"),),
    ),
    Mutation(
        "on-between-two-offs-is-forgiven",
        6,
        "reads need not be consecutive",
        (
            Change(
                PROOF,
                "        case PowerState.ON:\n            return _void(seen)",
                "        case PowerState.ON:\n            return seen",
            ),
        ),
        Tests(("tests/unit/domain/test_proof.py",)),
    ),
    Mutation(
        "one-devices-reads-prove-for-another",
        6,
        "what the first power device said goes into the second one's proof",
        (Change(METHODS, "    proof = Proof(voided=", "    proof = incident.proof or Proof(voided="),),
        SECOND_DEVICE,
    ),
    Mutation(
        "any-refusal-leads-to-the-next-device",
        2,
        "a cap or a sign of life is got round with the second power device",
        (Change(METHODS, "bool(why) and set(why) <= OF_THE_DEVICE and following", "bool(why) and following"),),
        SECOND_DEVICE,
    ),
    Mutation(
        "a-restored-database-goes-on",
        5,
        "an old backup in the place of the database is not noticed, and its count of power-downs is believed",
        (Change(SIGNS, "return has_lost(", "return starting and has_lost("),),
        RESTORED,
    ),
    Mutation(
        "a-command-leaves-no-sign",
        9,
        "a database that knows nothing of a command sent a moment ago is taken for the newest",
        (Change(FENCING, "    await signs.write(change.tx, change.world, now=now)\n", ""),),
        RESTORED,
    ),
    Mutation(
        "the-command-goes-before-its-intent",
        8,
        "the device hears of it before anything is stored",
        (Change(FENCING, INTEND + SEND, SEND + INTEND),),
    ),
    Mutation(
        "no-result-row",
        8,
        "what became of a command is not stored",
        (
            Change(
                FENCING,
                "                finished_at=claimed.now,\n                accepted=outcome.accepted,",
                "                accepted=outcome.accepted,",
            ),
        ),
    ),
    Mutation(
        "the-release-goes-before-its-intent",
        8,
        "the cloud hears of it before anything is stored",
        (Change(RELEASING, RELEASE_INTENT + RELEASE, RELEASE + RELEASE_INTENT),),
    ),
    Mutation(
        "effects-without-an-attempt",
        8,
        "a power-on or an LED is sent without a stored attempt",
        (
            Change(EFFECTS, "        await tx.add_attempt(attempt)\n", ""),
            Change(EFFECTS, "        await tx.save_attempt(\n", "        await tx.add_attempt(\n"),
        ),
    ),
    Mutation(
        "people-leave-no-intent",
        8,
        "a person's command is stored only once it was sent",
        (
            Change(MANUAL, "        await tx.add_attempt(attempt)\n", ""),
            Change(MANUAL, "await tx.save_attempt(done)", "await tx.add_attempt(done)"),
        ),
    ),
    Mutation(
        "an-unknown-fate-leads-to-sending",
        9,
        "an intent whose controller died is taken for one that never was",
        (Change(FENCING, "if step.incident.command.status is CommandStatus.INTENDED:", "if not step.incident:"),),
        STORIES,
    ),
    Mutation(
        "the-lease-token-is-not-checked",
        9,
        "a controller that lost its lease applies what it found",
        (
            Change(
                STEP,
                "incident_for_update(self.incident.id, token=self.token)",
                "incident_for_update(self.incident.id, token=None)",
            ),
        ),
        Tests(("tests/scenarios/test_lost_leases.py",)),
    ),
    Mutation(
        "a-second-command-without-a-read",
        9,
        "whatever the device says, the command goes out again",
        (
            Change(VERIFYING, "if incident.proof.last_state is PowerState.ON and budget:", "if budget:"),
            Change(
                FENCING,
                "if facts.power is None or facts.power.state is not PowerState.ON:\n            await _no_command",
                "if facts.power is None:\n            await _no_command",
            ),
        ),
    ),
    Mutation(
        "retry-sends",
        9,
        "a held incident whose command may have been sent goes the way to a second one, not to reading",
        (
            Change(
                OPERATOR,
                "to = State.VERIFYING if current.command.may_have_been_sent else State.CHECKING",
                "to = State.CHECKING",
            ),
        ),
        Tests(("tests/scenarios/test_operator.py",)),
    ),
    Mutation(
        "leased-incidents-are-claimed",
        9,
        "a second controller takes an incident that another one is working on",
        (
            Change(
                CLAIMS,
                'free = or_(Incidents.lease_until.is_(None), Incidents.lease_until <= bindparam("now"))',
                'free = or_(Incidents.lease_until.is_(None), Incidents.lease_until > bindparam("now"))',
            ),
        ),
        CONCURRENCY,
    ),
    Mutation(
        "a-lost-lease-can-be-extended",
        9,
        "a controller whose lease was taken over goes on with its command",
        (Change(CLAIMS, ', Incidents.lease_token == bindparam("token"))', ")"),),
        CONCURRENCY,
    ),
)
