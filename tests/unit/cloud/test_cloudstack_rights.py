"""What a key may not call is named, with what it is needed for; what can be done follows from what may be called."""

import pytest

from controller.cloud.cloudstack.rights import NEEDED, capabilities, missing

ALL = {need.command for need in NEEDED}
REQUIRED = {need.command for need in NEEDED if not need.optional}


def sentences(available: set[str]) -> list[str]:
    return [need.sentence() for need in missing(available)]


def test_with_every_right_nothing_is_missing() -> None:
    assert missing(ALL | {"deployVirtualMachine"}) == ()


def test_each_lacking_right_is_named_with_what_it_is_for() -> None:
    assert sentences(ALL - {"updateHost", "listAlerts"}) == [
        "may not call updateHost: needed for quarantine, to keep CloudStack's own restart from racing a fence",
        "may not call updateHost: needed for return, to take the host into use again",
        "may not call listAlerts (detection, optional): without it the time of a disconnect is only known to one poll",
    ]


def test_what_is_needed_comes_before_what_is_optional() -> None:
    order = [need.optional for need in missing(set())]
    assert order == sorted(order)
    assert len(order) == len(NEEDED)


def test_no_command_is_both_needed_and_optional() -> None:
    assert not REQUIRED & {need.command for need in NEEDED if need.optional}


def test_an_old_cloudstack_lacks_nothing_that_is_needed() -> None:
    # 4.11: neither declareHostAsDegraded (4.16) nor listManagementServers (4.12).
    old = ALL - {"declareHostAsDegraded", "cancelHostAsDegraded", "listManagementServers"}
    assert all(need.optional for need in missing(old))
    able = capabilities(old, "4.11.3.0")
    assert (able.degraded, able.management_servers, able.version) == (False, False, "4.11.3.0")


@pytest.mark.parametrize("one", ["declareHostAsDegraded", "cancelHostAsDegraded"])
def test_a_host_is_only_degraded_where_that_can_be_undone(one: str) -> None:
    assert capabilities(ALL).degraded
    assert not capabilities(ALL - {one}).degraded
