from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.policy import Policy
from controller.domain.power import PowerCode, PowerReading, PowerState
from controller.domain.proof import Proof, Standing, fresh, note_read, why_off_does_not_count
from controller.domain.reasons import Reason
from tests.fixtures.builders import T0, at
from tests.fixtures.evidence import policy

ON = PowerReading(state=PowerState.ON, said="Chassis Power is on")
OFF = PowerReading(state=PowerState.OFF, said="Chassis Power is off")
UNKNOWN = PowerReading(state=PowerState.UNKNOWN, code=PowerCode.TIMED_OUT)
TRUSTED = Standing(on_seen_alive=True)
UNTRUSTED = Standing(on_seen_alive=False)


def reads(
    *seen: tuple[PowerReading, float],
    proof: Proof | None = None,
    standing: Standing = TRUSTED,
    under: Policy | None = None,
) -> Proof:
    """Reads as (what the device said, seconds after T0)."""
    result = proof or Proof()
    for said, seconds in seen:
        result = note_read(result, said, at=at(seconds), standing=standing, policy=under or policy())
    return result


PROVEN = reads((OFF, 0), (OFF, 2), (OFF, 4))


def test_three_spaced_off_reads_prove() -> None:
    assert reads((OFF, 0), (OFF, 2)).proven_at is None
    assert PROVEN.proven_at == at(4)
    assert (PROVEN.reads, PROVEN.first_at, PROVEN.last_at) == (3, at(0), at(4))
    assert (PROVEN.last_state, PROVEN.last_said) == (PowerState.OFF, "Chassis Power is off")


def test_reads_closer_than_the_spacing_tell_nothing_new() -> None:
    hasty = reads(*((OFF, s / 10) for s in range(20)))
    assert hasty.reads == 1
    assert hasty.proven_at is None


def test_an_on_in_between_starts_again() -> None:
    assert reads((OFF, 0), (OFF, 2), (ON, 4), (OFF, 6), (OFF, 8)).proven_at is None
    assert reads((OFF, 0), (OFF, 2), (ON, 4), (OFF, 6), (OFF, 8), (OFF, 10)).proven_at == at(10)


def test_an_unknown_in_between_starts_again_and_the_device_must_settle() -> None:
    lost = reads((OFF, 0), (OFF, 2), (UNKNOWN, 4))
    assert (lost.reads, lost.unreachable_at) == (0, at(4))
    assert reads((OFF, 6), (OFF, 8), (OFF, 10), proof=lost).proven_at is None
    settled = reads((OFF, 124), (OFF, 126), (OFF, 128), proof=lost)
    assert settled.proven_at == at(128)


def test_an_off_from_a_device_out_of_reach_a_moment_ago_does_not_count() -> None:
    lost = Proof(unreachable_at=T0)
    why = why_off_does_not_count(lost, at=at(119.9), standing=TRUSTED, policy=policy())
    assert why == (Reason.BMC_SETTLING,)
    assert why_off_does_not_count(lost, at=at(120), standing=TRUSTED, policy=policy()) == ()


def test_an_off_from_a_device_that_never_read_on_while_the_host_lived_does_not_count() -> None:
    never = reads((OFF, 0), (OFF, 2), (OFF, 4), (OFF, 6), standing=UNTRUSTED)
    assert never.proven_at is None
    assert never.reads == 0
    swapped = reads((OFF, 2), proof=reads((OFF, 0)), standing=UNTRUSTED)
    assert reads((OFF, 4), (OFF, 6), proof=swapped).proven_at is None  # it was another device for a moment
    both = why_off_does_not_count(Proof(unreachable_at=T0), at=T0, standing=UNTRUSTED, policy=policy())
    assert both == (Reason.BMC_UNPROVEN, Reason.BMC_SETTLING)


@pytest.mark.parametrize("anything_else", [ON, UNKNOWN], ids=["on", "unknown"])
def test_a_proof_is_voided_by_anything_but_off_and_says_so(anything_else: PowerReading) -> None:
    voided = reads((anything_else, 6), proof=PROVEN)
    assert voided.proven_at is None
    assert voided.voided == 1
    assert reads((anything_else, 8), proof=voided).voided == 1


def test_a_proof_keeps_its_moment_and_grows_fresher() -> None:
    later = reads((OFF, 6), proof=PROVEN)
    assert later.proven_at == PROVEN.proven_at
    assert later.last_at == at(6)


def test_a_proof_is_fresh_for_as_long_as_its_newest_off_read() -> None:
    within = timedelta(seconds=30)
    assert fresh(PROVEN, now=at(34), within=within)
    assert not fresh(PROVEN, now=at(34.1), within=within)
    assert not fresh(PROVEN, now=at(3), within=within)  # before the read it rests on
    assert not fresh(Proof(), now=T0, within=within)
    assert not fresh(replace(PROVEN, last_at=None), now=T0, within=within)


# -- properties -------------------------------------------------------------------------------------------------------

sequences = st.lists(
    st.tuples(
        st.sampled_from([OFF, OFF, OFF, OFF, OFF, ON, UNKNOWN]), st.sampled_from([0.0, 0.5, 1.9, 2.0, 3.0, 130.0])
    ),
    max_size=14,
)


def spaced_run(seen: list[tuple[PowerReading, float]], under: Policy) -> int:
    """The longest unbroken run of countable off reads, each at least the spacing after the last one counted."""
    now, longest, run, last, lost = 0.0, 0, 0, -1e9, -1e9
    for said, step in seen:
        now += step
        if said is UNKNOWN:
            lost = now
        if said is not OFF or now - lost < under.bmc_settle.total_seconds():
            run, last = 0, -1e9
        elif now - last >= under.read_spacing.total_seconds():
            run, last = run + 1, now
        longest = max(longest, run)
    return longest


@given(sequences, st.integers(2, 4))
def test_nothing_is_proven_without_that_many_consecutive_spaced_countable_off_reads(
    seen: list[tuple[PowerReading, float]], off_reads: int
) -> None:
    under = policy(off_reads=off_reads)
    proof, now, ever = Proof(), 0.0, False
    for said, step in seen:
        now += step
        proof = reads((said, now), proof=proof, under=under)
        ever = ever or proof.proven_at is not None
        if said is not OFF:
            assert (proof.reads, proof.proven_at) == (0, None)
    assert ever == (spaced_run(seen, under) >= off_reads)


@given(sequences)
def test_an_untrusted_device_never_proves(seen: list[tuple[PowerReading, float]]) -> None:
    now, proof = 0.0, Proof()
    for said, step in seen:
        now += step
        proof = reads((said, now), proof=proof, standing=UNTRUSTED)
        assert proof.proven_at is None


@given(sequences, st.integers(-(10**7), 10**7))
def test_shifting_all_times_proves_no_more_and_no_less(seen: list[tuple[PowerReading, float]], seconds: int) -> None:
    here, there, now = Proof(), Proof(), 0.0
    for said, step in seen:
        now += step
        here = reads((said, now), proof=here)
        there = reads((said, now + seconds), proof=there)
        assert (here.reads, here.proven_at is None, here.voided) == (there.reads, there.proven_at is None, there.voided)
