import re

import pytest

from controller.domain.reasons import Reason
from controller.domain.words import WORDS, label, words_for
from controller.domain.words_look import LOOK

CHANGES = re.compile(
    r"systemctl (re)?(start|stop|load)|hostfence (fence|acknowledge|cancel|retry|power|un?pause)|reboot"
)
JARGON = re.compile(r"\b[a-z]+_[a-z_]+\b")


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_words_of_its_own(reason: Reason) -> None:
    assert reason in WORDS, f"controller/domain/words_*.py: what does {reason} mean at 3 am?"


def test_no_words_are_left_of_a_reason_that_is_gone() -> None:
    assert set(WORDS) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_words_are_plain_sentences(reason: Reason) -> None:
    words = words_for(reason)
    for text in (words.means, words.do):
        assert text.endswith((".", "?"))
        assert text[0].isupper() or text.startswith("hostfence")
        assert not JARGON.search(text), "codes are for machines"
        assert "  " not in text
        assert len(text) < 240, "nobody reads more at night"


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_says_where_to_look(reason: Reason) -> None:
    look = words_for(reason).look
    assert look.endswith((".", "?"))
    assert "  " not in look
    assert len(look) < 240
    assert not CHANGES.search(look), "who looks changes nothing"


def test_no_place_to_look_is_left_of_a_reason_that_is_gone() -> None:
    assert set(LOOK) == set(Reason)


def test_no_two_reasons_mean_the_same() -> None:
    assert len({words.means for words in WORDS.values()}) == len(WORDS)


def test_a_reason_without_words_still_reads_as_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(WORDS, Reason.STORM_COOLDOWN)
    assert words_for(Reason.STORM_COOLDOWN).means == "Storm cooldown."


def test_a_label_is_the_code_without_underscores() -> None:
    assert label(Reason.TOO_FEW_WITNESSES) == "too few witnesses"
