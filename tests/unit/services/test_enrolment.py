"""What cannot be seen from outside: that the token is looked at again where nobody can use it meanwhile."""

from datetime import timedelta

import pytest

from controller.probing.authority import AUTHORITY_LASTS, BACKDATED, BadCsrError, make_authority, sign_host
from controller.services.enrolment import enrol, make_join_token
from controller.services.errors import Forbidden
from tests.fakes.clock import FakeClock
from tests.fixtures import builders as a
from tests.fixtures.certificates import a_key_and_csr
from tests.fixtures.stores import furnish
from tests.simulation.memory_store import MemoryStore


async def test_a_token_that_another_used_between_look_and_lock_is_refused() -> None:
    store, clock = MemoryStore(), FakeClock()
    await furnish(store)
    made = await make_join_token(store, clock, "h1", actor="test")
    store.after_commit = store.tables.join_tokens.clear
    with pytest.raises(Forbidden):
        await enrol(store, clock, join_token=made.join_token, csr=a_key_and_csr()[1])
    assert store.tables.hosts["h1"] == a.host()


async def test_a_wrong_token_never_waits_for_an_intent() -> None:
    """The guard is what intents wait for; whoever knows no token may not hold it up."""
    store, clock = MemoryStore(), FakeClock()
    await furnish(store)
    commits = store.commits
    with pytest.raises(Forbidden):
        await enrol(store, clock, join_token="hfj_h1_wrong", csr="x")
    assert store.commits == commits


async def test_the_secrets_are_in_no_repr() -> None:
    store, clock = MemoryStore(), FakeClock()
    await furnish(store)
    made = await make_join_token(store, clock, "h1", actor="test")
    shown = repr(made) + repr(store.tables.join_tokens) + repr(store.tables.authority)
    assert made.join_token not in shown
    assert "PRIVATE KEY" not in shown


async def test_certificates_begin_early_and_the_authority_outlives_them() -> None:
    now = await FakeClock().now()
    authority = make_authority(now)
    _, until = sign_host(authority, a_key_and_csr()[1], "h1", now=now)
    assert until == now + timedelta(days=365)
    assert timedelta(days=3650) < AUTHORITY_LASTS
    assert timedelta(days=1) < BACKDATED
    with pytest.raises(BadCsrError):
        sign_host(authority, "\x00", "h1", now=now)
