from controller.domain.headlines import heading, headline
from controller.domain.reasons import Reason
from tests.fixtures.notices import a_notice


def test_a_hold_says_the_gravest_reasons_first_and_how_many_more() -> None:
    assert heading(a_notice(why=(Reason.PAUSED, Reason.CAP_REACHED, Reason.STORM))) == "held, storm, paused, 1 more"
    assert heading(a_notice(why=(Reason.STORM,))) == "held, storm"


def test_a_decision_is_its_headline() -> None:
    assert heading(a_notice(kind="fenced", why=(Reason.HOST_DEAD,))) == headline(a_notice(kind="fenced")) == "fenced"


def test_a_kind_of_another_version_still_reads() -> None:
    assert headline(a_notice(kind="brand_new")) == "brand new"
