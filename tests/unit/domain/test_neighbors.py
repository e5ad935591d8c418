from controller.domain.neighbors import choose
from controller.domain.reasons import Reason
from tests.fixtures.builders import host

SUBJECT = host("h1")


def test_all_neighbors_with_an_agent_are_asked() -> None:
    chosen = choose(SUBJECT, [SUBJECT, host("h2"), host("h3")], suspected=frozenset({"h1"}))
    assert [h.id for h in chosen.asked] == ["h2", "h3"]
    assert chosen.not_asked == ()


def test_a_host_is_no_witness_of_itself() -> None:
    assert choose(SUBJECT, [SUBJECT], suspected=frozenset()).asked == ()


def test_hosts_of_other_clusters_are_no_neighbors() -> None:
    chosen = choose(SUBJECT, [host("far", cluster_id="c2")], suspected=frozenset())
    assert (chosen.asked, chosen.not_asked) == ((), ())


def test_a_neighbor_that_is_suspected_itself_is_not_asked_and_it_is_said_why() -> None:
    chosen = choose(SUBJECT, [host("h2")], suspected=frozenset({"h2"}))
    assert chosen.asked == ()
    assert chosen.not_asked == (("h2", Reason.WITNESS_SUSPECTED),)


def test_a_neighbor_without_an_agent_is_not_asked_and_it_is_said_why() -> None:
    chosen = choose(SUBJECT, [host("h2", agent_token="")], suspected=frozenset())
    assert chosen.not_asked == (("h2", Reason.NOT_CONFIGURED),)


def test_a_host_that_the_cloud_does_not_know_any_more_is_no_neighbor() -> None:
    chosen = choose(SUBJECT, [host("h2", retired=True)], suspected=frozenset())
    assert (chosen.asked, chosen.not_asked) == ((), ())


def test_maintenance_and_exclusion_from_fencing_do_not_stop_a_witness() -> None:
    chosen = choose(SUBJECT, [host("h2", maintenance=True), host("h3", excluded=True)], suspected=frozenset())
    assert [h.id for h in chosen.asked] == ["h2", "h3"]
