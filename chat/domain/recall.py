"""Recall: which memories belong in the next prompt, and why.

For each question (one recent entry) a memory scores

    sum over words of  weight * rarity * tf * (K1 + 1) / (tf + K1 * (1 - B + B * length / usual length))

with tf = times the word stands in it + BEFORE_WEIGHT if it stands in the memory before, + AFTER_WEIGHT if in the one
after, and the length a mean of the three. That is multiplied by 1 + VOICE for the part said by somebody the question
names, by DATE when it is of a day the question names, by how much it matters and whether a scene memory stands for it;
SCENE of the best score of its scene is added. Scores within NEAR of each other are equal: the newer goes first. The
rankings of the questions are fused by rank: sum of weight / (RANK_OFFSET + rank), an earlier entry ranking only
EARLIER_PLACES memories, so that chatter drowns nothing. No word is ever required.

The constants were set by hand from published lessons, never fitted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from chat.domain.dates import falls_in
from chat.domain.evidence import Evidence, Kept
from chat.domain.likeness import Tellings, Told, says_the_same
from chat.domain.memories import Memory
from chat.domain.questions import LATEST_WEIGHT, Question
from chat.domain.voices import Voices, times

K1 = 1.2
B = 0.75
BEFORE_WEIGHT = 0.35
AFTER_WEIGHT = 0.15
OWN_SHARE, BEFORE_SHARE, AFTER_SHARE = 0.67, 0.22, 0.11
"""What a memory, the one before and the one after add to its length."""
VOICE = 0.5
DATE = 1.5
SIGNIFICANCE = 0.1
PINNED = 1.1
CONSOLIDATED = 0.7
SCENE = 0.2
NEAR = 0.1
RETOLD_SHARE = 0.35
"""A later telling of the same goes first unless it scores less than this share of the earlier one."""
RANK_OFFSET = 10
EARLIER_PLACES = 8
COMPARED = 24
"""How many of the best are looked at for saying the same."""


class Found(msgspec.Struct, frozen=True):
    """A memory that was considered; `why` says in words what speaks for it, `left_out` why it is not in the prompt."""

    memory_id: str
    turn_id: str
    text: str
    significance: int
    score: float = 0.0
    why: str = ""
    left_out: str = ""


class Recalled(msgspec.Struct, frozen=True):
    """Best first; `left_out` came close."""

    chosen: tuple[Found, ...] = ()
    left_out: tuple[Found, ...] = ()


class _Case(msgspec.Struct):
    """What speaks for one memory in one question. `share` is the part of it said by those who were named."""

    event_id: int
    own: dict[str, float]
    near: dict[str, float]
    score: float = 0.0
    share: float = 0.0
    is_dated: bool = False


def recall(
    questions: Sequence[Question],
    evidence: Evidence,
    names: Iterable[str],
    hidden: Iterable[int],
    count: int,
) -> Recalled:
    """The best `count` memories and as many that came close. `hidden` are event ids never to be chosen."""
    unwanted = frozenset(hidden)
    voices = Voices(names)
    scores: dict[int, float] = {}
    told: dict[int, list[tuple[Question, _Case]]] = {}
    for number, question in enumerate(questions):
        heard = _heard(question, evidence.about(number), voices, unwanted)
        for place, case in enumerate(heard):
            one = case.event_id
            scores[one] = scores.get(one, 0.0) + question.weight / (RANK_OFFSET + place)
            told.setdefault(one, []).append((question, case))
    order = sorted(scores, key=lambda one: (scores[one], one), reverse=True)
    return _chosen(
        (_found(evidence.kept[one], scores[one], _why(told[one], evidence)) for one in order), count
    )


def _heard(question: Question, evidence: Evidence, voices: Voices, unwanted: frozenset[int]) -> list[_Case]:
    """What may be chosen for one question, best first: of an earlier one the first few."""
    is_latest = question.weight == LATEST_WEIGHT
    places = COMPARED if is_latest else EARLIER_PLACES + len(unwanted & evidence.kept.keys())
    ranked = [one for one in rank(question, evidence, voices, places) if one.event_id not in unwanted]
    return ranked if is_latest else ranked[:EARLIER_PLACES]


def latest(memories: Sequence[Memory], count: int) -> Recalled:
    """When nothing was asked: the newest of what is no longer in the conversation shown."""
    why = ["the latest that is kept"]
    return Recalled(tuple(_found(one, 0.0, why) for one in memories[:count]))


def rank(question: Question, evidence: Evidence, voices: Voices, places: int) -> list[_Case]:
    """The memories that speak to one question, best first; only the first `places` of them have to be right."""
    cases = _cases(question, evidence, voices)
    rarity = {word: weight * evidence.rarity(word) for word, weight in question.words.items()}
    lengths = _lengths(evidence.kept)
    usual = sum(lengths.values()) / max(len(lengths), 1)
    for case in cases:
        case.score = _matching(case, rarity, lengths[case.event_id] / usual)
        _weigh(case, question, evidence.kept[case.event_id], voices, rarity)
    best: dict[str, float] = {}
    for case in cases:
        scene = evidence.kept[case.event_id].scene_id
        best[scene] = max(best.get(scene, 0.0), case.score)
    for case in cases:
        case.score += SCENE * best[evidence.kept[case.event_id].scene_id]
    ordered = _newer_among_equals(sorted(cases, key=lambda case: (case.score, case.event_id), reverse=True))
    return [*_later_tellings_first(ordered[:COMPARED], evidence, places), *ordered[COMPARED:]]


def _cases(question: Question, evidence: Evidence, voices: Voices) -> list[_Case]:
    kept = evidence.kept
    around = {one: _around(found, kept) for one, found in kept.items()}
    read = voices.of(kept.values())
    words_of = dict(read)
    cases = {one: _Case(one, {}, {}) for one in kept}
    for word in question.words:
        hits = evidence.hits[word]
        found = set(kept).intersection(hits.known())
        counts = times([(one, words_of[one]) for one in found] if hits.is_all else read, word)
        for one in found | counts.keys():
            count = counts.get(one, 1)
            cases[one].own[word] = count
            for other, weight in around[one]:
                near = cases[other].near
                near[word] = near.get(word, 0.0) + weight * count
    dated = set(evidence.dated) if question.spans else ()
    return [case for case in cases.values() if case.own or case.near or case.event_id in dated]


def _around(found: Kept, kept: dict[int, Kept]) -> list[tuple[int, float]]:
    """The memories that a word in this one counts for too, and how much."""
    beside = ((found.after, BEFORE_WEIGHT), (found.before, AFTER_WEIGHT))
    return [(other, weight) for other, weight in beside if other is not None and other in kept]


def _lengths(kept: dict[int, Kept]) -> dict[int, float]:
    """Characters of each memory and its neighbours, weighed; an unknown neighbour counts like the memory itself."""
    sizes = {one: max(len(found.text), 1) for one, found in kept.items()}
    return {
        one: OWN_SHARE * size
        + BEFORE_SHARE * sizes.get(kept[one].before or 0, size)
        + AFTER_SHARE * sizes.get(kept[one].after or 0, size)
        for one, size in sizes.items()
    }


def _matching(case: _Case, rarity: dict[str, float], length: float) -> float:
    damped = K1 * (1 - B + B * length)
    own, near = case.own, case.near
    score = 0.0
    for word, count in own.items():
        times = count + near[word] if word in near else count
        score += rarity[word] * times / (times + damped)
    for word, times in near.items():
        if word not in own:
            score += rarity[word] * times / (times + damped)
    return score * (K1 + 1)


def _weigh(case: _Case, question: Question, memory: Kept, voices: Voices, rarity: dict[str, float]) -> None:
    """Everything but the words."""
    if question.named:
        case.share = voices.share(memory, question.named, {word: rarity[word] for word in case.own})
        case.score *= 1 + VOICE * case.share
    if any(falls_in(memory.at, span) for span in question.spans):
        case.score, case.is_dated = case.score * DATE or 1.0, True
    case.score *= 1 + SIGNIFICANCE * (memory.significance - 1)
    if memory.pinned:
        case.score *= PINNED
    if memory.consolidated and memory.significance < 2:
        case.score *= CONSOLIDATED


def _why(cases: Iterable[tuple[Question, _Case]], evidence: Evidence) -> list[str]:
    """What speaks for one memory in all questions, in words: made for the few that are shown."""
    reasons: dict[str, None] = {}
    for question, case in cases:
        if question.weight == LATEST_WEIGHT:
            reasons.update(dict.fromkeys(_reasons(question, case, evidence)))
        else:
            reasons["close to what was said before"] = None
    return list(reasons)


def _reasons(question: Question, case: _Case, evidence: Evidence) -> Iterator[str]:
    memory = evidence.kept[case.event_id]
    if case.own:
        rarest = sorted(case.own, key=lambda word: -question.words[word] * evidence.rarity(word))
        yield f"mentions {', '.join(rarest[:4])}"
    if case.near.keys() - case.own.keys():
        yield f"next to one that mentions {', '.join(sorted(case.near.keys() - case.own.keys())[:2])}"
    if case.share:
        yield "said by somebody who was named"
    if case.is_dated:
        yield "of a day that was named"
    if memory.significance > 1:
        yield "pivotal" if memory.significance > 2 else "significant"
    if memory.pinned:
        yield "pinned"


def _newer_among_equals(cases: Sequence[_Case]) -> list[_Case]:
    ordered: list[_Case] = []
    group: list[_Case] = []
    for case in cases:
        if group and case.score < group[0].score * (1 - NEAR):
            ordered += sorted(group, key=lambda one: -one.event_id)
            group = []
        group.append(case)
    return ordered + sorted(group, key=lambda one: -one.event_id)


def _later_tellings_first(cases: Sequence[_Case], evidence: Evidence, places: int) -> list[_Case]:
    """Where two tell the same thing anew ("my sister is Ann", "... is Eva"), the later takes the earlier's place.

    Each gives way once, to the best of its later tellings: many that sound alike must not bury what fits better.
    """
    kept = evidence.kept
    tellings = Tellings({one.event_id: Told(kept[one.event_id].text, one.own) for one in cases})
    placed: list[_Case] = []
    gave_way: set[int] = set()
    for case in cases:
        retold = (
            n
            for n, other in enumerate(placed[:places])
            if other.event_id < case.event_id
            and other.event_id not in gave_way
            and case.is_dated == other.is_dated
            and case.score >= RETOLD_SHARE * other.score
            and tellings.is_later(case.event_id, other.event_id)
        )
        place = next(retold, len(placed))
        if place < len(placed):
            gave_way.add(placed[place].event_id)
        placed.insert(place, case)
    return placed


def _found(memory: Memory | Kept, score: float, reasons: Sequence[str]) -> Found:
    why = "; ".join(reasons[:4])
    return Found(memory.id, memory.turn_id, memory.text, memory.significance, round(score, 6), why)


def _chosen(ranked: Iterable[Found], count: int) -> Recalled:
    """The first `count` that do not say the same as one already chosen, and the first few that were passed over."""
    chosen: list[Found] = []
    left: list[Found] = []
    for one in ranked:
        is_same = any(says_the_same(one.text, other.text) for other in chosen)
        if not is_same and len(chosen) < count:
            chosen.append(one)
            continue
        reason = "another says the same" if is_same else f"not among the best {count}"
        left.append(msgspec.structs.replace(one, left_out=reason))
        if len(chosen) == count and len(left) >= max(2 * count, 8):
            break
    return Recalled(tuple(chosen), tuple(left[: max(2 * count, 8)]))
