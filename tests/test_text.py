"""Text from outside: what is stored, and what people see."""

from __future__ import annotations

import json
import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from patchbank.text import bounded, file_stem, json_text, quoted, shown, storable

NAMES = st.binary(max_size=60).map(os.fsdecode) | st.text(st.characters(), max_size=60)
"""Names as a file system may hold them, and any text that Python can, lone surrogates included."""
ENCODINGS = st.sampled_from(["utf-8", "cp1252", "ascii", "cp437", "latin-1"])


@given(NAMES)
def test_a_stored_name_is_valid_utf_8_and_stays_what_it_is_when_stored_again(name: str) -> None:
    stored = storable(name)
    assert stored.encode("utf-8").decode("utf-8") == stored
    assert storable(stored) == stored


@given(st.text(max_size=60))
def test_a_name_that_is_utf_8_is_stored_as_it_is(name: str) -> None:
    assert storable(name) == name


@given(st.binary(min_size=1, max_size=60))
def test_bytes_that_are_not_utf_8_can_be_read_in_the_stored_name(raw: bytes) -> None:
    assert storable(os.fsdecode(raw)) == raw.decode("utf-8", "backslashreplace")


@given(NAMES, ENCODINGS)
def test_what_people_see_is_one_line_that_the_terminal_can_show(name: str, encoding: str) -> None:
    seen = shown(name, encoding)
    seen.encode(encoding)
    assert len(seen.splitlines()) <= 1
    assert not any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in seen)
    assert shown(seen, encoding) == seen


@given(st.dictionaries(NAMES, NAMES | st.lists(NAMES, max_size=3) | st.integers() | st.none(), max_size=3))
def test_a_json_document_with_any_names_is_read_by_strict_parsers(document: dict[str, object]) -> None:
    read = json.loads(json_text(document))
    json.dumps(read, ensure_ascii=False).encode("utf-8")


@given(NAMES)
def test_a_new_file_s_name_has_no_folder_in_it_and_fits_the_file_system(name: str) -> None:
    made = f"{file_stem(name)}.png"
    assert Path(made).name == made
    assert len(made.encode()) <= 200
    assert made.isascii() or shown(made) == made


def test_visible_names_stay_what_they_are() -> None:
    for name in ("cam[left].jpg", "cam[/].jpg", ":smile: grün 中文 \N{PILE OF POO}.png", "a b.png", "C:\\in\\b.png"):
        assert (storable(name), shown(name)) == (name, name)
    assert shown("a\x1b[31m\n\u202egpj.png") == "a\\x1b[31m\\x0a\\u202egpj.png"
    assert (shown("gr\udcfc.png"), shown("中.png", "cp1252")) == ("gr\\xfc.png", "\\u4e2d.png")
    assert (file_stem("a.tar.gz"), file_stem(".png"), file_stem("a/b\\c\n.png")) == ("a.tar", ".png", "a_b_c_")


def test_messages_quote_no_more_than_a_line_of_what_was_sent() -> None:
    assert quoted("part") == "'part'"
    assert quoted("a" * 900_000) == f"'{'a' * 100}'... (900000 characters)"
    assert bounded("a" * 900_000).startswith("a" * 2_000)
    assert len(bounded("a" * 900_000)) < 2_100
