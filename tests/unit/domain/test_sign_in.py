from datetime import timedelta

from controller.domain.sign_in import IDLE, LASTS, Session
from tests.fixtures.builders import T0

SESSION = Session(
    id="s1", digest="d", user_id="u1", token_id=None, created_at=T0, seen_at=T0, expires_at=T0 + LASTS, address=""
)


def test_a_session_ends_when_nobody_uses_it() -> None:
    assert not SESSION.over(T0 + IDLE - timedelta(seconds=1))
    assert SESSION.over(T0 + IDLE)


def test_a_session_ends_however_much_it_is_used() -> None:
    used = Session(
        id="s1",
        digest="d",
        user_id=None,
        token_id="t1",
        created_at=T0,
        seen_at=T0 + LASTS,
        expires_at=T0 + LASTS,
    )
    assert used.over(T0 + LASTS)
