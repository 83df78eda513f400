"""What no page may hold, whoever wrote its words: looked for in every element and attribute of a parsed page."""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.support.dom import Element

_LOADING = {"src", "srcset", "poster", "background", "data", "ping", "action", "formaction", "href", "srcdoc"}
_IN_PROSE = {"p", "em", "i", "strong", "b", "br", "blockquote", "span"}
_CLASSES = {"dialogue", "ooc", "whisper", "thought", "direction", "cue"}
_NEVER = {
    "iframe",
    "object",
    "embed",
    "base",
    "math",
    "style",
    "template",
    "picture",
    "source",
    "video",
}


def assert_inert(root: Element) -> None:
    """Nothing loads from elsewhere, nothing runs, and words of a story have only the allowed tags around them."""
    for element in root.walk():
        assert element.tag not in _NEVER, element.tag
        assert element.tag != "script" or element.attrs.get("src", "").startswith("/static/")
        assert element.tag != "meta" or "http-equiv" not in element.attrs
        for name, value in element.attrs.items():
            assert not name.startswith("on"), f"{element.tag} {name}"
            assert name != "style", f"{element.tag} has a style of its own"
            assert not name.startswith(("hx-on", "hx-vals", "hx-ext", "sse-", "data-hx-")), name
            assert name not in _LOADING or _is_ours(value), f"{element.tag} {name}={value}"
    for prose in root.all(cls="prose"):
        assert "hx-disable" in prose.attrs
        for element in [one for one in prose.walk() if one is not prose]:
            assert element.tag in _IN_PROSE, element.tag
            assert set(element.attrs) <= {"class"}
            assert element.classes <= _CLASSES


def assert_folded_once(text: str) -> None:
    """A browser with script ends a `noscript` at the first end tag there is, and takes all before it for text."""
    begun, ended = text.count("<noscript"), text.count("</noscript")
    assert begun == ended <= 1, "a drawer that is shut, and nothing else"
    if begun:
        before, _, rest = text.partition("<noscript>")
        assert before.rstrip().endswith('<div class="drawer-sheet">')
        assert rest.partition("</noscript>")[2].split()[:2] == ["</div>", "</details>"]


def _is_ours(address: str) -> bool:
    parts = urlsplit(address)
    return not parts.scheme and not parts.netloc
