"""Users, passwords, sessions, and how often one may fail."""

from datetime import timedelta

import pytest

from controller.db.store import Store
from controller.domain.model import Role
from controller.domain.sign_in import IDLE, LASTS
from controller.services import passwords, sessions, users
from controller.services.access import create_token, ensure_first_admin, revoke_token
from controller.services.errors import BadInput, Forbidden, NotFound, Refused
from controller.services.sessions import Browser, NotSignedIn, SignedIn
from controller.services.sign_in_limits import PER_ADDRESS, PER_NAME, WINDOW_S, SignInLimits, TooManyTries
from tests.fakes.clock import FakeClock
from tests.simulation.memory_store import MemoryStore

WORDS = "correct horse battery"
BROWSER = Browser(address="10.0.0.1", name="Firefox")


@pytest.fixture
def store() -> Store:
    return MemoryStore()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real scrypt, with a cost that fits a test."""
    monkeypatch.setattr(passwords, "_LOG_N", 4)


async def ada(store: Store, clock: FakeClock, role: Role = Role.OPERATOR) -> None:
    await users.create_user(store, clock, name="ada", role=role, password=WORDS, actor="root")


async def as_ada(store: Store, clock: FakeClock, password: str = WORDS) -> str:
    return await sessions.sign_in_with_password(store, clock, name="ada", password=password, browser=BROWSER)


async def who(store: Store, clock: FakeClock, cookie: str, *, acts: bool = True) -> SignedIn:
    found = await sessions.who_is(store, clock, cookie, acts=acts)
    assert found is not None
    return found


async def test_a_user_signs_in_and_is_known(store: Store, clock: FakeClock) -> None:
    await ada(store, clock)
    cookie = await as_ada(store, clock)
    found = await who(store, clock, cookie)
    assert (found.name, found.role, found.is_user) == ("ada", Role.OPERATOR, True)
    assert found.session.address == "10.0.0.1"


async def test_neither_password_nor_cookie_is_kept_shown_or_audited(store: Store, clock: FakeClock) -> None:
    await ada(store, clock)
    cookie = await as_ada(store, clock)
    async with store.transaction() as tx:
        user = await tx.user_by_name("ada")
        kept = [user, await tx.sessions(), await tx.audit(), user and user.password]
    assert WORDS not in str(kept)
    assert cookie not in str(kept)
    assert user is not None
    assert user.password not in repr(user)
    assert user.password not in str(kept[2])


async def test_whoever_has_a_token_signs_in_with_it(store: Store, clock: FakeClock) -> None:
    text = await ensure_first_admin(store, clock)
    assert text is not None
    cookie = await sessions.sign_in_with_token(store, clock, f" {text}\n", browser=BROWSER)
    found = await who(store, clock, cookie)
    assert (found.name, found.role, found.is_user) == ("first-admin", Role.ADMIN, False)


@pytest.mark.parametrize(("name", "password"), [("ada", "wrong"), ("nobody", WORDS), ("", "")])
async def test_what_was_wrong_is_not_said(store: Store, clock: FakeClock, name: str, password: str) -> None:
    await ada(store, clock)
    with pytest.raises(NotSignedIn, match="name or password is wrong"):
        await sessions.sign_in_with_password(store, clock, name=name, password=password, browser=BROWSER)


async def test_a_token_that_is_unknown_revoked_or_a_reporters_opens_nothing(store: Store, clock: FakeClock) -> None:
    await ensure_first_admin(store, clock)
    token, text = await create_token(store, clock, name="plug-in", role=Role.VIEWER, actor="root")
    cookie = await sessions.sign_in_with_token(store, clock, text, browser=BROWSER)
    await revoke_token(store, clock, token.id, actor="root")
    assert await sessions.who_is(store, clock, cookie, acts=True) is None
    for bad in (text, "hf_nonsense", ""):
        with pytest.raises(NotSignedIn):
            await sessions.sign_in_with_token(store, clock, bad, browser=BROWSER)
    _, reports = await create_token(store, clock, name="reports", role=Role.REPORTER, actor="root")
    with pytest.raises(Forbidden, match="reporter"):
        await sessions.sign_in_with_token(store, clock, reports, browser=BROWSER)


async def test_another_role_holds_from_the_next_request_on(store: Store, clock: FakeClock) -> None:
    await ada(store, clock)
    cookie = await as_ada(store, clock)
    await users.set_role(store, clock, "ada", role=Role.VIEWER, actor="root")
    assert (await who(store, clock, cookie)).role is Role.VIEWER
    with pytest.raises(BadInput):
        await users.set_role(store, clock, "ada", role=Role.REPORTER, actor="root")


async def test_a_disabled_user_is_signed_out_and_stays_out(store: Store, clock: FakeClock) -> None:
    await ada(store, clock)
    cookie = await as_ada(store, clock)
    disabled = await users.disable_user(store, clock, "ada", actor="root")
    assert await users.disable_user(store, clock, "ada", actor="root") == disabled
    assert await sessions.who_is(store, clock, cookie, acts=True) is None
    with pytest.raises(NotSignedIn):
        await as_ada(store, clock)
    await users.enable_user(store, clock, "ada", actor="root")
    assert await users.enable_user(store, clock, "ada", actor="root") == (await users.list_users(store))[0]
    assert await as_ada(store, clock)
    with pytest.raises(NotFound):
        await users.disable_user(store, clock, "nobody", actor="root")


async def test_the_last_enabled_admin_stays_one(store: Store, clock: FakeClock) -> None:
    await ada(store, clock, Role.ADMIN)
    await users.create_user(store, clock, name="bob", role=Role.ADMIN, password=WORDS, actor="root")
    await users.disable_user(store, clock, "bob", actor="root")
    for deed in (
        users.disable_user(store, clock, "ada", actor="root"),
        users.set_role(store, clock, "ada", role=Role.VIEWER, actor="root"),
    ):
        with pytest.raises(Refused, match="ada is the last user who is an admin"):
            await deed
    assert (await users.set_role(store, clock, "ada", role=Role.ADMIN, actor="root")).role is Role.ADMIN
    await users.enable_user(store, clock, "bob", actor="root")
    assert (await users.set_role(store, clock, "ada", role=Role.VIEWER, actor="root")).role is Role.VIEWER
    with pytest.raises(Refused, match="bob"):
        await users.disable_user(store, clock, "bob", actor="root")


async def test_a_new_password_ends_every_session(store: Store, clock: FakeClock) -> None:
    await ada(store, clock)
    cookie = await as_ada(store, clock)
    [user] = await users.list_users(store)
    with pytest.raises(Forbidden, match="current password"):
        await users.change_own_password(store, clock, user.id, current="wrong", password="another set of words")
    assert await sessions.who_is(store, clock, cookie, acts=True) is not None
    await users.change_own_password(store, clock, user.id, current=WORDS, password="another set of words")
    assert await sessions.who_is(store, clock, cookie, acts=True) is None
    assert await as_ada(store, clock, "another set of words")


async def test_an_idle_session_ends_and_what_a_page_fetches_by_itself_keeps_none(
    store: Store, clock: FakeClock
) -> None:
    await ada(store, clock)
    busy, idle = await as_ada(store, clock), await as_ada(store, clock)
    clock.advance(IDLE - timedelta(minutes=1))
    await who(store, clock, busy, acts=True)
    await who(store, clock, idle, acts=False)
    clock.advance(timedelta(minutes=1))
    assert await sessions.who_is(store, clock, busy, acts=False) is not None
    assert await sessions.who_is(store, clock, idle, acts=True) is None


async def test_a_busy_session_ends_too(store: Store, clock: FakeClock) -> None:
    await ada(store, clock)
    cookie = await as_ada(store, clock)
    for _ in range(int(LASTS / timedelta(hours=4)) - 1):
        clock.advance(timedelta(hours=4))
        await who(store, clock, cookie)
    clock.advance(timedelta(hours=4))
    assert await sessions.who_is(store, clock, cookie, acts=True) is None


async def test_signing_out_ends_one_session_and_everywhere_ends_all(store: Store, clock: FakeClock) -> None:
    await ada(store, clock)
    cookies = [await as_ada(store, clock) for _ in range(3)]
    first = await who(store, clock, cookies[0])
    assert len(await sessions.list_sessions(store, clock, first)) == 3
    await sessions.sign_out(store, clock, first)
    await sessions.sign_out(store, clock, first)
    assert await sessions.who_is(store, clock, cookies[0], acts=True) is None
    assert await sessions.sign_out_everywhere(store, clock, await who(store, clock, cookies[1])) == 2
    assert await sessions.who_is(store, clock, cookies[2], acts=True) is None


async def test_signing_in_clears_away_what_is_over(store: Store, clock: FakeClock) -> None:
    await ada(store, clock)
    await as_ada(store, clock)
    clock.advance(IDLE)
    await as_ada(store, clock)
    async with store.transaction() as tx:
        assert len(await tx.sessions()) == 1


async def test_a_password_hashed_with_a_smaller_cost_is_hashed_again(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ada(store, clock)
    monkeypatch.setattr(passwords, "_LOG_N", 5)
    await as_ada(store, clock)
    [user] = await users.list_users(store)
    assert user.password.startswith("scrypt$5$")
    assert await as_ada(store, clock)


@pytest.mark.parametrize("password", ["short", "x" * 300, "aaaabbbbaaaabbbb", "Ada-the-operator"])
async def test_a_password_that_is_easily_guessed_is_refused(store: Store, clock: FakeClock, password: str) -> None:
    with pytest.raises(BadInput) as refusal:
        await users.create_user(
            store, clock, name="ada-the-operator", role=Role.VIEWER, password=password, actor="root"
        )
    assert password not in refusal.value.detail


async def test_a_user_has_a_name_that_no_other_actor_has(store: Store, clock: FakeClock) -> None:
    await create_token(store, clock, name="ada", role=Role.VIEWER, actor="root")
    with pytest.raises(Refused, match="token"):
        await ada(store, clock)
    await users.create_user(store, clock, name="bob", role=Role.VIEWER, password=WORDS, actor="root")
    with pytest.raises(Refused, match="taken"):
        await users.create_user(store, clock, name="bob", role=Role.VIEWER, password=WORDS, actor="root")


async def test_one_password_gives_two_hashes_and_both_fit_however_it_is_typed() -> None:
    one, two = await passwords.hashed("pässword-wörds"), await passwords.hashed("pässword-wörds")
    assert one != two
    decomposed = "pa\u0308ssword-wo\u0308rds"
    assert await passwords.matches(decomposed, one)
    assert await passwords.matches(decomposed, two)
    assert not await passwords.matches("", "")


class TestLimits:
    def limits(self) -> tuple[SignInLimits, list[float]]:
        now = [100.0]
        return SignInLimits(lambda: now[0]), now

    def test_a_name_is_guessed_at_from_many_addresses_only_so_often(self) -> None:
        limits, now = self.limits()
        for number in range(PER_NAME):
            limits.begin(address=f"10.0.0.{number}", name="Ada")
        with pytest.raises(TooManyTries) as refusal:
            limits.begin(address="10.0.1.1", name="ada")
        assert refusal.value.wait_s == WINDOW_S
        limits.begin(address="10.0.1.1", name="bob")
        now[0] += WINDOW_S
        limits.begin(address="10.0.1.1", name="ada")

    def test_an_address_fails_only_so_often_whatever_it_tries(self) -> None:
        limits, _ = self.limits()
        for number in range(PER_ADDRESS):
            limits.begin(address="10.0.0.1", name=f"user{number}" if number % 2 else "")
        with pytest.raises(TooManyTries):
            limits.begin(address="10.0.0.1")
        limits.begin(address="10.0.0.2")

    def test_who_succeeds_has_not_failed(self) -> None:
        limits, _ = self.limits()
        for _ in range(PER_ADDRESS * 2):
            limits.begin(address="10.0.0.1", name="ada").succeeded()

    def test_many_at_once_do_not_slip_through(self) -> None:
        limits, _ = self.limits()
        under_way = [limits.begin(address="10.0.0.1", name="ada") for _ in range(PER_NAME)]
        with pytest.raises(TooManyTries):
            limits.begin(address="10.0.0.1", name="ada")
        under_way[0].succeeded()
        limits.begin(address="10.0.0.1", name="ada")

    def test_it_forgets_the_oldest_rather_than_grow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("controller.services.sign_in_limits._KEYS", 10)
        limits, _ = self.limits()
        for number in range(100):
            limits.begin(address=f"10.0.0.{number}")
        assert len(limits._tries) == 10
