"""From one part of the story map to another: addresses, links in words, and the pills in the picture."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec

from chat.domain.branching import MOST_STRANDS, TRUNK
from chat.web.views.map_drawing import LEAD, TOP, Drawing, Fold
from chat.web.views.map_nodes import Look, StoryMap


class Pill(msgspec.Struct, frozen=True):
    """A link to a part of the map that is not drawn."""

    href: str
    words: str
    label: str
    path: str
    x: int
    y: int
    width: int


def address(chat_id: str, look: Look, **more: str | int) -> str:
    """Where a part of the map is shown."""
    asked = {"along": look.along, "until": look.until, "fan": look.fan, "skip": look.skip or None} | more
    query = urlencode({name: value for name, value in asked.items() if value not in (None, "")})
    return f"/chats/{chat_id}/map" + (f"?{query}" if query else "")


def pill(story: StoryMap, fold: Fold) -> Pill:
    along = story.look.along if fold.line == TRUNK else fold.line
    words = f"{fold.count:,} more"
    label = f"{fold.count:,} more branches leave here. Show them."
    href = address(story.chat.id, Look(along=along, fan=fold.step))
    return Pill(href, words, label, fold.path, fold.x, fold.y, 16 + 7 * len(words))


def pills_of_ends(story: StoryMap, drawing: Drawing) -> list[Pill]:
    """Where the trunk goes on out of sight."""
    part, chat_id, look = story.window, story.chat.id, Look(along=story.look.along)
    pills = []
    if part.first > 1:
        until = part.earlier if part.earlier is not None else part.first
        words = "Earlier"
        href = address(chat_id, look._replace(until=until))
        label = (
            f"The story before this, with {part.before:,} branches"
            if part.before
            else "The story before this"
        )
        pills.append(Pill(href, words, label, "", drawing.start - LEAD + 4, TOP, 72))
    if part.last < story.tree.end:
        label = f"The end of the story, with {part.after:,} branches on the way" if part.after else "The end"
        pills.append(Pill(address(chat_id, look), "Later", label, "", drawing.end + LEAD - 84, TOP, 62))
    return pills


def links(story: StoryMap) -> list[tuple[str, str]]:
    """Ways to the rest, for those who would rather read them: address and words."""
    part, chat_id, look = story.window, story.chat.id, Look(along=story.look.along)
    links = []
    if part.earlier is not None:
        more = f" and {part.before:,} branches" if part.before else ""
        links.append((address(chat_id, look._replace(until=part.earlier)), f"The part before{more}"))
    links += _fan_links(story)
    if part.last < story.tree.end:
        links.append((address(chat_id, look), "To the end of the story"))
    if story.look.along and story.look.along != story.chat.branch_id:
        links.append((address(chat_id, Look()), "The map along the story as it is told now"))
    return links


def _fan_links(story: StoryMap) -> list[tuple[str, str]]:
    if story.look.fan is None:
        return []
    look, drawn = story.look, len(story.window.strands)
    every = len(story.tree.leaving.get((TRUNK, story.look.fan), []))
    chat_id, links = story.chat.id, []
    if look.skip:
        back = max(0, look.skip - MOST_STRANDS)
        links.append((address(chat_id, look._replace(skip=back)), "The branches before these"))
    if look.skip + drawn < every:
        left = every - look.skip - drawn
        links.append(
            (address(chat_id, look._replace(skip=look.skip + drawn)), f"{left:,} more that leave here")
        )
    return links
