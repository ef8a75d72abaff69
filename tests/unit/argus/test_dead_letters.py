"""Text from strangers is shown, never obeyed."""

from hypothesis import given
from hypothesis import strategies as st

from argus.dead_letters import visible


@given(st.binary() | st.text().map(lambda text: text.encode(errors="replace")))
def test_whatever_is_shown_prints(data: bytes) -> None:
    assert visible(data).isprintable()


@given(st.text(), st.text())
def test_different_texts_are_shown_differently(one: str, other: str) -> None:
    shown = [visible(text.encode(errors="replace")) for text in (one, other)]
    assert (shown[0] == shown[1]) == (one == other)


def test_direction_marks_and_terminal_commands_are_escaped() -> None:
    assert visible("\x1b]0;owned\x07 \u202egnp.exe \u200b".encode()) == "\\x1b]0;owned\\x07 \\u202egnp.exe \\u200b"


def test_a_written_escape_is_not_taken_for_a_real_one() -> None:
    assert visible(b"\\x1b") == "\\\\x1b"
    assert visible(b"\x1b") == "\\x1b"
