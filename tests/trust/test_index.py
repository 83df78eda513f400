"""Which test holds which case of sections A, B, D and I of the trust list; a case without its test fails."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
A = ("trust/test_a_other_sites.py", "trust/test_a_every_route.py")
B = ("trust/test_b_text_as_html.py",)
D = ("trust/test_d_text_and_parameters.py", "trust/test_d_on_the_wire.py")
MARKUP, HOSTILE = "web/test_markup.py", "browser/test_hostile.py"
NARRATE, LIMITS, FAILURES = (
    "llm/test_narrate.py",
    "llm/test_narrate_limits.py",
    "llm/test_narrate_failures.py",
)
FACES = ("web/test_faces.py", "test_a_failure_has_its_face_and_its_button_helps")

NUMBERED: dict[int, tuple[str, ...]] = {
    **dict.fromkeys(range(1, 16), A),
    **dict.fromkeys((16, 22, 25, 26, 30), B),
    27: A,
    **dict.fromkeys((47, 48, 49, 50, 51, 53, 58), D),
    **dict.fromkeys((52, 54, 55, 56, 57), D),
    **dict.fromkeys((103, 108, 115, 116, 119, 120), ("trust/test_i_model_endpoint.py",)),
}
"""Cases whose tests hold the number in their names, and where those are."""

NAMED: dict[int, tuple[tuple[str, str], ...]] = {
    **dict.fromkeys(
        range(16, 27),
        (
            (B[0], "test_hostile_text_is_only_text_wherever_it_shows"),
            (MARKUP, "test_hostile_text_becomes_inert_text"),
            (HOSTILE, "test_a_hostile_model_owns_nothing_while_it_streams_nor_afterwards"),
        ),
    ),
    18: ((MARKUP, "test_only_allowed_tags_come_out_and_a_second_reading_changes_nothing"),),
    19: ((MARKUP, "test_only_allowed_tags_come_out_and_a_second_reading_changes_nothing"),),
    24: (
        ("engine/test_hub.py", "test_hostile_text_cannot_end_a_frame"),
        ("web/test_stream.py", "test_the_words_of_a_reply_join_to_the_stored_text_and_cannot_become_frames"),
    ),
    28: (
        ("web/test_portraits.py", "test_a_portrait_is_made_anew_small_and_without_what_else_was_in_the_file"),
        ("web/test_portraits.py", "test_a_file_that_is_no_picture_is_refused_with_a_sentence"),
    ),
    29: (
        (B[0], "test_hostile_text_is_only_text_wherever_it_shows"),
        ("prompts/test_quoting.py", "test_card_text_fills_in_names_once_and_has_no_tags_or_roles"),
        ("prompts/test_quoting.py", "test_a_name_that_is_a_macro_is_not_expanded_again"),
    ),
    53: (("test_observe.py", "test_case_53_nothing_can_start_a_line_of_its_own"),),
    56: (("browser/test_connection.py", "test_eight_tabs_share_one_connection"),),
    57: (("web/test_stream.py", "test_a_listener_that_goes_away_does_not_end_the_reply"),),
    58: (("engine/test_turn.py", "test_two_posts_at_the_same_instant_start_one_reply"),),
    103: (
        (FAILURES, "test_retry_after_is_understood"),
        (FAILURES, "test_retry_after_may_be_a_date"),
        (LIMITS, "test_a_wait_before_a_retry_can_be_stopped"),
        ("web/test_faces.py", "test_a_short_wait_is_waited_for_and_can_be_stopped"),
    ),
    104: (FACES, (LIMITS, "test_what_asking_again_cannot_help_is_asked_once")),
    105: (FACES, ("web/test_faces.py", "test_less_of_the_past_is_less")),
    106: (FACES, (LIMITS, "test_what_failed_before_anything_came_is_tried_once_more")),
    107: (
        (FAILURES, "test_nobody_at_the_address"),
        (FAILURES, "test_a_name_that_does_not_exist"),
        (FAILURES, "test_a_plain_server_behind_a_secure_address"),
    ),
    108: ((LIMITS, "test_every_wait_has_its_limit"), FACES),
    109: ((LIMITS, "test_every_wait_has_its_limit"), FACES),
    110: ((FAILURES, "test_a_broken_stream_has_its_own_error_and_keeps_what_came"),),
    111: ((NARRATE, "test_makes_sense_of_the_odd_stream"),),
    112: ((FAILURES, "test_a_broken_stream_has_its_own_error_and_keeps_what_came"), FACES),
    113: (
        (NARRATE, "test_reads_the_dialect"),
        (LIMITS, "test_a_small_body_that_unpacks_to_a_large_one_is_cut_off"),
    ),
    114: (FACES, ("engine/test_failures.py", "test_a_failing_server_costs_no_words_and_retry_works")),
    115: (
        (LIMITS, "test_a_reply_past_the_size_cap_is_cut_there"),
        (LIMITS, "test_a_line_without_an_end_is_cut_off"),
    ),
    117: (
        ("engine/test_digest.py", "test_a_hostile_answer_moves_nothing_far"),
        ("engine/test_digest.py", "test_what_nobody_there_could_know_is_dropped"),
        ("engine/test_digest.py", "test_prose_instead_of_an_answer_is_quarantined_and_the_story_goes_on"),
        ("llm/test_classify.py", "test_ten_thousand_bad_items_are_no_hold_up"),
    ),
    118: (("llm/test_classify.py", "test_a_turn_that_contains_an_answer_does_not_become_it"),),
    119: ((NARRATE, "test_stopping_closes_the_upstream_connection_within_a_second"),),
    120: ((NARRATE, "test_two_replies_at_once_do_not_mix_and_a_stalled_one_holds_up_nobody"),),
}
"""Cases held, wholly or besides, by tests of the part that stands them."""

CASES = [*range(1, 31), *range(47, 59), *range(103, 121)]


@pytest.mark.parametrize("case", CASES)
def test_every_case_has_its_test(case: int) -> None:
    assert case in NUMBERED or case in NAMED
    if case in NUMBERED:
        texts = [(TESTS / path).read_text("utf-8") for path in NUMBERED[case]]
        number = re.compile(rf"def test_case_{case:02}_")
        assert any(number.search(text) for text in texts), f"no test of case {case}"
    for path, name in NAMED.get(case, ()):
        assert re.search(rf"def {name}\(", (TESTS / path).read_text("utf-8")), f"{path} has no {name}"
