"""HTML to text: cases H1.., and that no input breaks it or costs a word."""

from __future__ import annotations

import html as entities

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from normalizer.domain.html_text import html_to_text, is_html
from normalizer.domain.text import clean

# id, HTML, text
CASES = [
    # Blocks
    ("H1", "<p>a</p><p>b</p>", "a\n\nb"),
    ("H2", "<div>a</div><div>b</div>", "a\nb"),
    ("H3", "a<br>b<br/>c", "a\nb\nc"),
    ("H4", "a<br><br><br><br>b", "a\n\nb"),
    ("H5", "<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
    ("H6", "<div>a<br></div><div>b</div>", "a\nb"),
    ("H7", "<h2>a</h2>b<hr>c", "a\n\nb\n\nc"),
    ("H8", "<blockquote><p>a</p></blockquote>b", "a\n\nb"),
    ("H9", "<p>a<p>b", "a\n\nb"),
    ("H10", "<div><div><p></p></div></div>a<div></div>", "a"),
    # White space
    ("H11", "<p>  a \n\t b  </p>", "a b"),
    ("H12", "<b>a</b> <i>b</i><u>c</u>", "a bc"),
    ("H13", "a <b> b</b>", "a b"),
    ("H14", "a&nbsp;&nbsp; b", "a b"),
    ("H15", "<pre>a\n  b\tc \n\n\nd</pre>e", "a\n  b\tc\n\nd\n\ne"),
    ("H16", "<textarea> a\n b</textarea>", "a\n b"),
    ("H17", "a\u200bb&shy;c&#xFEFF;d&#847;e", "abcde"),
    ("H18", "\r\na\r\nb\r\n", "a b"),
    # Lists
    ("H19", "<ul><li>a</li><li>b</li></ul>c", "- a\n- b\nc"),
    ("H20", "<ol><li>a<li>b</ol>", "1. a\n2. b"),
    ("H21", "<ol start=9><li>a<li>b</ol>", "9. a\n10. b"),
    ("H22", "<ol start=x><li>a</ol>", "1. a"),
    ("H23", "<ul><li>a<ol><li>b<li>c</ol><li>d</ul>", "- a\n  1. b\n  2. c\n- d"),
    ("H24", "<ul><li><p>a</p></li><li><p>b</p></li></ul>", "- a\n- b"),
    ("H25", "<ul><li></li><li>a</li></ul>", "- a"),
    ("H26", "<li>a<li>b", "- a\n- b"),
    ("H27", "<p>a</p><ul><li><br>b</ul>", "a\n\n- b"),
    ("H28", "<dl><dt>a<dd>b</dl>", "a\nb"),
    # Tables
    ("H29", "<table><tr><th>a<th>b<tr><td>c<td>d</table>", "a\tb\nc\td"),
    ("H30", "<table><tr><td>Name:</td>\n <td>Ann</td></tr>\n</table>", "Name:\tAnn"),
    ("H31", "<table><tr><td><table><tr><td>a<td>b</table></table>", "a\tb"),
    # Links and pictures
    ("H32", '<a href="https://a.example/x?y=1&amp;z">here</a>', "here (https://a.example/x?y=1&z)"),
    ("H33", '<a href="https://a.example/">a.example</a>', "a.example"),
    ("H34", '<a href="https://a.example/x">HTTPS://A.example/x</a>', "HTTPS://A.example/x"),
    ("H35", '<a href="mailto:a@b.example?subject=x">a@b.example</a>', "a@b.example"),
    ("H36", '<a href="mailto:a@b.example">write</a>', "write (a@b.example)"),
    ("H37", '<a href="tel:+49401234">+49 (40) 12-34</a>', "+49 (40) 12-34"),
    ("H38", '<a href="javascript:alert(1)">a</a> <a href="/b">b</a> <a name=c>c</a>', "a b c"),
    ("H39", '<a href="https://a.example/x"> </a>b', "b"),
    (
        "H40",
        '<a href="https://a.example/x">a<a href="https://b.example/">b</a>',
        "a (https://a.example/x)b (https://b.example/)",
    ),
    ("H41", 'a<img src=x alt="b c">d<img src=y>', "ab cd"),
    ("H42", '<a href="https://a.example/x"><img alt=car></a>', "car (https://a.example/x)"),
    ("H43", '<a href="https://a.example/\nb">a</a>', "a (https://a.example/b)"),
    # Entities
    ("H44", "&lt;b&gt; &amp; &quot;x&quot; &euro; &#8364; &#x20AC;", '<b> & "x" € € €'),
    ("H45", "&amp;lt;", "&lt;"),
    ("H46", "AT&T &bogus; &copy 2026", "AT&T &bogus; © 2026"),
    ("H47", "&#x1F600; &#0;a", "😀 \ufffda"),
    # What is not shown
    ("H48", "a<script>b</script><style>p {}</style>c", "ac"),
    ("H49", "<html><head><title>a</title><style>b</style></head><body>c</body></html>", "c"),
    ("H50", "a<!-- b -->c<!--[if mso]>d<![endif]-->e", "ace"),
    ("H51", '<div style="display : NONE">a<p>b</p></div>c', "c"),
    ("H52", "<p hidden>a</p>b<template>c</template>", "b"),
    ("H53", "<noscript>a</noscript><iframe>b</iframe>", "a"),
    ("H54", "<?php x ?>a<!DOCTYPE html>b", "ab"),
    # What is broken
    ("H55", "", ""),
    ("H56", " \n<p> </p>", ""),
    ("H57", "a < b and <3", "a < b and <3"),
    ("H58", "</p></div>a</b>", "a"),
    ("H59", "<p>a</body></html><p>b", "a\n\nb"),
    ("H60", "<html>a</html><html>b</html>", "a\nb"),
    ("H61", "<b>a<p>b</b>c</p>d", "a\n\nbc\n\nd"),
    ("H62", "<o:p>a</o:p><x-y>b</x-y>", "ab"),
    ("H63", "a\x00b\x08\ud800c", "abc"),
    ("H64", '<?xml version="1.0" encoding="latin-1"?><p>ä</p>', "ä"),
    ("H65", '<meta http-equiv="Content-Type" content="text/html; charset=koi8-r"><p>ж</p>', "ж"),
    ("H66", "a<unfinished", "a"),
]


@pytest.mark.parametrize(("case", "html", "text"), CASES, ids=[row[0] for row in CASES])
def test_html_becomes_text(case: str, html: str, text: str) -> None:
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a<br>b", True),
        ("a<BR />b", True),
        ("<p>a", True),
        ('<div class="x">a', True),
        ("a</span>", True),
        ("<!DOCTYPE html>a", True),
        ("<html lang=de>", True),
        ("a < b > c", False),
        ("I <3 it", False),
        ("Ann <ann@example.org> wrote:", False),
        ("R&amp;D", False),
        ("<dealer>a</dealer>", False),
        ("<product> of the year", False),
        ("<br", False),
    ],
)
def test_what_is_taken_for_html(text: str, expected: bool) -> None:
    assert is_html(text) is expected


@pytest.mark.parametrize("depth", [300, 3_000, 30_000])
def test_no_depth_costs_a_word(depth: int) -> None:
    for tag in ("div", "b", "ul", "blockquote", "table", "a href=https://a.example/x"):
        name = tag.split()[0]
        found = html_to_text(f"<{tag}>" * depth + "deep" + f"</{name}>" * depth + " after")
        assert found.split()[0] == "deep"
        assert found.split()[-1] == "after"


def test_no_length_costs_a_word() -> None:
    # Beyond ten million bytes of one text, libxml2 gives up unless it is told not to.
    assert html_to_text("<p>" + "a" * 10_000_100 + "</p>b").endswith("a\n\nb")


def test_lists_within_lists_are_not_larger_than_what_came() -> None:
    nested = "<ul><li>x" * 2_000
    assert len(html_to_text(nested)) < 4 * len(nested)


def test_an_unended_script_costs_no_word_before_it() -> None:
    assert html_to_text("<p>a</p><script>b") == "a"


TAGS = [
    *("p", "div", "br", "ul", "ol", "li", "table", "tr", "td", "th", "a"),
    *("b", "span", "pre", "textarea", "blockquote", "h1", "hr", "img", "script", "style", "head"),
    *("title", "template", "form", "select", "option", "svg", "math", "font", "center", "o:p"),
]
pieces = st.one_of(
    st.sampled_from(TAGS).map(lambda tag: f"<{tag}>"),
    st.sampled_from(TAGS).map(lambda tag: f"</{tag}>"),
    st.sampled_from(
        ["<!--", "-->", "<![CDATA[", "]]>", "<?", "&", "&#x", "&lt", "<", ">", '"', "'", "=", "\x00"]
    ),
    st.sampled_from(
        ['<a href="https://a.example/1">', '<p style="display:none">', "<ol start=7>", "<p hidden>"]
    ),
    st.text(max_size=6),
)


@settings(max_examples=500, deadline=None)
@given(html=st.lists(pieces, max_size=30).map("".join))
@example(html="<pre> \n \n<b> </b>\n")
@example(html="<li><ul><br>")
@example(html="</a></li></pre></ul></script>a")
def test_whatever_comes_becomes_storable_text(html: str) -> None:
    text = html_to_text(html)
    assert text == clean(text)
    assert "\n\n\n" not in text
    assert "\r" not in text
    assert html_to_text(html) == text


words = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z", "M")), min_size=1, max_size=8),
    min_size=1,
    max_size=6,
)


@settings(max_examples=300, deadline=None)
@given(
    told=words, around=st.sampled_from(["p", "div", "td", "b", "blockquote", "h1", "font", "pre", "center"])
)
def test_every_word_that_is_shown_arrives(told: list[str], around: str) -> None:
    html = f"<{around}>{entities.escape(' '.join(told))}</{around}>"
    assert html_to_text(html).split() == told


@settings(max_examples=200, deadline=None)
@given(told=words)
def test_plain_text_passes_as_it_is(told: list[str]) -> None:
    plain = " ".join(word for word in told if not {"<", "&"} & set(word))
    assert html_to_text(plain) == plain
