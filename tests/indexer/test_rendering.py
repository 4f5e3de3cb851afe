"""Templates escape what is put in, miss nothing silently, and are shipped with the package."""

from __future__ import annotations

import re
from importlib.resources import files

import jinja2
import pytest

from patchbank_indexer.rendering import render

HOSTILE = "<script>alert(\"1\")</script> & 'x'"


def templates() -> dict[str, str]:
    folder = files("patchbank_indexer") / "templates"
    return {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}


def test_the_pages_are_beside_the_code() -> None:
    assert {"base.html", "charts.html", "evaluation.html", "profile.html"} <= set(templates())


def test_what_is_put_in_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    loader = jinja2.DictLoader({"page.html": '<p title="{{ name }}">{{ name }}</p>\n'})
    monkeypatch.setattr("jinja2.PackageLoader", lambda _package: loader)
    escaped = "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt; &amp; &#39;x&#39;"
    assert render("page.html", name=HOSTILE) == f'<p title="{escaped}">{escaped}</p>\n'


def test_no_template_turns_escaping_off() -> None:
    for name, text in templates().items():
        assert not re.search(r"\|\s*safe\b|autoescape|Markup", text), name


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="data_sets"):
        render("profile.html")
    with pytest.raises(jinja2.TemplateNotFound):
        render("nothing.html")


def test_bytes_become_the_text_of_a_data_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    loader = jinja2.DictLoader({"page.html": "{{ content|base64 }}"})
    monkeypatch.setattr("jinja2.PackageLoader", lambda _package: loader)
    assert render("page.html", content=b"\xfb\xff\x00") == "+/8A"
