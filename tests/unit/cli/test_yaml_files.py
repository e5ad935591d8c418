from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.cli.errors import CliError, Exit
from controller.cli.yaml_files import read_yaml, write_yaml

_TEXTS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20)
_WORDS = st.sampled_from(
    ["off", "on", "yes", "no", "null", "~", "1", "0x1f", "1e3", "2026-01-01", "true", "12:30", ".inf"]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS | _WORDS, inner, max_size=3),
    max_leaves=8,
)


@given(value=_VALUES)
def test_what_was_written_is_read_as_the_same(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    file = tmp_path_factory.getbasetemp() / "values.yaml"
    file.write_text(write_yaml({"value": value}), encoding="utf-8")
    assert read_yaml(file) == {"value": value}


@pytest.mark.parametrize("word", ["off", "on", "yes", "no", "Off", "y", "True", "2026-01-01"])
def test_a_word_typed_by_hand_stays_a_word(tmp_path: Path, word: str) -> None:
    file = tmp_path / "f"
    file.write_text(f"action: {word}")
    assert read_yaml(file) == {"action": word}


@pytest.mark.parametrize("text", ["a: 1\na: 2", "1: 2", "[1, 2", "a: !!python/name:os.system", "a: *b", "? [1]\n: 2"])
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "f"
    file.write_text(text)
    with pytest.raises(CliError) as refused:
        read_yaml(file)
    assert refused.value.code is Exit.USAGE
