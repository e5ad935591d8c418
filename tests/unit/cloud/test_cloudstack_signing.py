"""The signature against CloudStack's published example and against `cs`, another client; names, expiry, words."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qsl

import pytest
from cs.client import CloudStack as CsClient
from hypothesis import given
from hypothesis import strategies as st

from controller.cloud.cloudstack.signing import encoded, signature, signed_form

NOW = datetime(2025, 1, 7, 3, 12, 5, 999, tzinfo=UTC)
# The programmer's guide of CloudStack: a key that never was one.
KEY = "plgWJfZK4gyS3mOMTVmjUVg-X-jlWlnfaUJ9GAbBbf9EdM-kAYMmAiLqzzq1ElZLYq_u38zCm0bewzGUdP66mg"
SECRET = "VDaACYb0LV9eNjTetIOElcVQkvJck_J_QljX_FcHRj87ZKiy0z0ty0ZsYBkoXkY9b7eq1EhwJaw7FF3akA3KBQ"

words = st.text(st.characters(codec="utf-8"), max_size=12)
names = st.from_regex(r"x[a-z]{3,9}(\[[0-9]\]\.[a-z]{1,5})?", fullmatch=True)


def form(params: Mapping[str, str | bool | int] | None = None, now: datetime = NOW) -> dict[str, str]:
    """As the other side decodes it."""
    pairs = parse_qsl(
        signed_form("listHosts", params or {}, key=KEY, secret=SECRET, now=now),
        keep_blank_values=True,
        strict_parsing=True,
    )
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_the_published_example() -> None:
    assert signature(f"apikey={KEY}&command=listUsers&response=json", SECRET) == "TTpdDq/7j/J58XCRHomKoQXEQds="


@given(st.dictionaries(names, words))
def test_another_client_signs_the_same(params: dict[str, str]) -> None:
    # `cs` leaves a tilde as it is; see the next test.
    ours = form({name: value.replace("~", "") for name, value in params.items()})
    made = ours.pop("signature")
    sign: Callable[[dict[str, str]], None] = CsClient("http://cloudstack.invalid", key=KEY, secret=SECRET)._sign
    sign(ours)
    assert ours["signature"] == made


def test_values_are_encoded_as_java_does_it() -> None:
    # java.net.URLEncoder leaves letters, digits and ".-*_" only; CloudStack then writes blanks as %20.
    assert encoded("aZ9.-*_ ~+/=&ü€") == "aZ9.-*_%20%7E%2B%2F%3D%26%C3%BC%E2%82%AC"


@given(st.dictionaries(names, words))
def test_values_arrive_as_they_were(params: dict[str, str]) -> None:
    assert params.items() <= form(params).items()


def test_truth_is_written_in_lower_case() -> None:
    assert form({"listall": True, "forced": False, "page": 3}).items() >= (
        {"listall": "true", "forced": "false", "page": "3"}.items()
    )


def test_a_request_ends_after_ten_minutes() -> None:
    assert form()["expires"] == "2025-01-07T03:22:05+0000"
    assert form()["signatureversion"] == "3"


def test_the_expiry_is_in_utc_wherever_the_clock_stands() -> None:
    assert form(now=NOW.astimezone(timezone(timedelta(hours=-7)))) == form()


def test_parameters_come_sorted_and_the_signature_last() -> None:
    text = signed_form("listHosts", {"zoneid": "z", "a": "b"}, key=KEY, secret=SECRET, now=NOW)
    order = [pair.partition("=")[0] for pair in text.split("&")]
    assert order == [*sorted(order[:-1]), "signature"]


@pytest.mark.parametrize("name", ["command", "apiKey", "EXPIRES", "signatureversion", "signature", "response"])
def test_a_parameter_cannot_take_the_place_of_what_is_signed(name: str) -> None:
    with pytest.raises(ValueError, match=f"(?i){name}"):
        signed_form("listHosts", {name: "x"}, key=KEY, secret=SECRET, now=NOW)
