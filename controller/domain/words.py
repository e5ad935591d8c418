"""What every coded reason means to the person on call, where to look, and what to do: plain English, one place.

E-mail, web UI, CLI and the runbook all read from here, so a reason reads the same wherever it shows. The entries stand
in :mod:`controller.domain.words_evidence`, :mod:`controller.domain.words_acting` and
:mod:`controller.domain.words_look`; a test checks that none is missing.
"""

from dataclasses import dataclass

from controller.domain.reasons import Reason
from controller.domain.words_acting import ACTING
from controller.domain.words_evidence import EVIDENCE
from controller.domain.words_look import LOOK


@dataclass(frozen=True, slots=True)
class Words:
    """One sentence or two on what a reason means, one line on what to do, and where to look before."""

    means: str
    do: str
    look: str = ""


WORDS: dict[Reason, Words] = {
    reason: Words(means, do, LOOK.get(reason, "")) for reason, (means, do) in (EVIDENCE | ACTING).items()
}
"""Every :class:`Reason` there is."""


def words_for(reason: Reason) -> Words:
    """The words for one reason; a reason without an entry (a bug that a test catches) still reads as its code."""
    return WORDS.get(reason) or Words(label(reason).capitalize() + ".", "See the incident.")


def label(reason: Reason) -> str:
    """The code as a few words, for subjects and badges: ``too few witnesses``."""
    return reason.value.replace("_", " ")
