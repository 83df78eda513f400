"""A page as a tree, so that tests look at elements and not at text. Reads what our own templates write, strictly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


@dataclass
class Element:
    """One element; `parts` are its texts and children in order."""

    tag: str
    attrs: dict[str, str]
    parts: list[str | Element] = field(default_factory=list)

    @property
    def classes(self) -> set[str]:
        return set(self.attrs.get("class", "").split())

    @property
    def text(self) -> str:
        """All text below, white space as one blank."""
        return " ".join(self.raw_text.split())

    @property
    def raw_text(self) -> str:
        return "".join(part if isinstance(part, str) else part.raw_text for part in self.parts)

    def walk(self) -> Iterator[Element]:
        yield self
        for part in self.parts:
            if isinstance(part, Element):
                yield from part.walk()

    def all(self, tag: str = "", cls: str = "", **attrs: str) -> list[Element]:
        """Elements below with this tag, class and these attributes ("_" in a name stands for "-")."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attrs.items()}
        return [
            one
            for one in self.walk()
            if one is not self
            and (not tag or one.tag == tag)
            and (not cls or cls in one.classes)
            and all(one.attrs.get(name) == value for name, value in wanted.items())
        ]

    def one(self, tag: str = "", cls: str = "", **attrs: str) -> Element:
        found = self.all(tag, cls, **attrs)
        assert len(found) == 1, f"{len(found)} elements are {tag}.{cls} {attrs}"
        return found[0]

    def by_id(self, name: str) -> Element:
        return self.one(id=name)

    def value_of(self, name: str) -> str:
        """What a form field of this name holds, as a browser would show it."""
        found = next(one for one in self.all(name=name) if one.tag in ("input", "textarea", "select"))
        if found.tag == "textarea":
            return found.raw_text.removeprefix("\n")
        if found.tag == "select":
            return next(one.attrs["value"] for one in found.all("option") if "selected" in one.attrs)
        return found.attrs.get("value", "")


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("#root", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].parts.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].parts.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].parts.append(data)


def parse(html: str) -> Element:
    """The tree of a page or fragment. Fails where an element is not closed in its place or an id comes twice."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    assert len(builder._open) == 1, f"<{builder._open[-1].tag}> is never closed"
    ids = [one.attrs["id"] for one in builder.root.walk() if "id" in one.attrs]
    assert len(ids) == len(set(ids)), (
        f"ids that come twice: {sorted({one for one in ids if ids.count(one) > 1})}"
    )
    return builder.root
