from controller.domain.model import Role
from controller.domain.reasons import NEEDS_A_PERSON, WAITS, Reason
from controller.domain.words import words_for
from tests.integration.api.conftest import Api


async def test_every_reason_comes_with_its_words(api: Api) -> None:
    told = await api.ok("GET", "/reasons", role=Role.VIEWER)
    assert {one["code"] for one in told} == {reason.value for reason in Reason}
    for one in told:
        reason = Reason(one["code"])
        assert (one["means"], one["do"]) == (words_for(reason).means, words_for(reason).do)
        assert (one["needs_a_person"], one["waits"]) == (reason in NEEDS_A_PERSON, reason in WAITS)
