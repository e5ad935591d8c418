from datetime import timedelta

import pytest

from controller.web.csrf import csrf_matches, csrf_token
from controller.web.deps import WebOptions
from controller.web.face import face_of
from controller.web.timing import machine, moment, span
from tests.fixtures.builders import T0


@pytest.mark.parametrize(
    ("seconds", "said", "brief"),
    [
        (-5, "0 s", "0 s"),
        (42, "42 s", "42 s"),
        (60, "1 min", "1 min"),
        (3599, "59 min", "59 min"),
        (3900, "1 h 5 min", "1 h"),
        (86400 * 2 + 3 * 3600, "2 d 3 h", "2 d"),
        (86400, "1 d", "1 d"),
    ],
)
def test_spans_read_as_people_say_them(seconds: int, said: str, brief: str) -> None:
    assert span(timedelta(seconds=seconds)) == said
    assert span(timedelta(seconds=seconds), brief=True) == brief


def test_moments_are_utc() -> None:
    assert moment(T0) == "2026-03-01 12:00:00 UTC"
    assert machine(T0) == "2026-03-01T12:00:00.000Z"


def test_a_forms_token_is_one_sessions_and_never_twice_the_same() -> None:
    one, another = csrf_token("cookie"), csrf_token("cookie")
    assert one != another
    assert csrf_matches("cookie", one)
    assert csrf_matches("cookie", another)
    for bad in (csrf_token("other"), "", "ä", one[:-4], f"AAAA{one}"):
        assert not csrf_matches("cookie", bad)


@pytest.mark.parametrize(
    ("prefix", "scheme", "public", "name", "secure"),
    [
        ("/ui", "http", "", "hostfence", False),
        ("/ui", "https", "", "__Host-hostfence", True),
        ("/ui", "http", "https://fencing.example", "__Host-hostfence", True),
        ("/embed", "http", "", "__Host-hostfence-embedded", True),
        ("/behind/a/proxy/ui", "http", "", "hostfence", False),
    ],
)
def test_each_face_has_its_cookie(prefix: str, scheme: str, public: str, name: str, secure: bool) -> None:  # noqa: FBT001
    face = face_of({"root_path": prefix, "scheme": scheme}, WebOptions(public_url=public))
    assert (face.session_cookie, face.secure, face.url("/x")) == (name, secure, f"{prefix}/x")
    assert ("Secure" in face.cookie("a", "b")) is secure
