"""Which test holds which case of sections A, B, D, G, H, I and J of the trust list; a case without its test fails."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
A = ("trust/test_a_other_sites.py", "trust/test_a_every_route.py")
B = ("trust/test_b_text_as_html.py", "trust/test_b_names.py")
D = ("trust/test_d_text_and_parameters.py", "trust/test_d_on_the_wire.py")
MARKUP, HOSTILE = "web/test_markup.py", "browser/test_hostile.py"
NARRATE, LIMITS, FAILURES = (
    "llm/test_narrate.py",
    "llm/test_narrate_limits.py",
    "llm/test_narrate_failures.py",
)
FACES = ("web/test_faces.py", "test_a_failure_has_its_face_and_its_button_helps")

FILES = "trust/test_g_and_h_files.py"
KEPT, FOREIGN, WRITES = "store/test_backup.py", "store/test_foreign.py", "store/test_every_write.py"
MACHINE, DISK, STARTS = "faults/test_machine.py", "faults/test_files.py", "store/test_start.py"
DAMAGE, SHOTS, CLOCKS = "store/test_damage.py", "store/test_snapshots.py", "engine/test_backups.py"
HEALTH = "web/test_health.py"

NUMBERED: dict[int, tuple[str, ...]] = {
    **dict.fromkeys(range(1, 16), A),
    **dict.fromkeys((16, 22, 25, 26, 30), B),
    27: (*A, "browser/test_hostile.py"),
    **dict.fromkeys((47, 48, 49, 50, 51, 53, 58), D),
    **dict.fromkeys((52, 54, 55, 56, 57), D),
    **dict.fromkeys((88, 94, 97, 100), (FILES,)),
    **dict.fromkeys((103, 108, 115, 116, 119, 120), ("trust/test_i_model_endpoint.py",)),
}
"""Cases whose tests hold the number in their names, and where those are."""

SHOWN = (
    (B[0], "test_hostile_text_is_only_text_wherever_it_shows"),
    (MARKUP, "test_hostile_text_becomes_inert_text"),
    (HOSTILE, "test_hostile_text_in_every_field_is_only_text"),
    (HOSTILE, "test_a_hostile_model_owns_nothing_while_it_streams_nor_afterwards"),
)

NAMED: dict[int, tuple[tuple[str, str], ...]] = {
    **dict.fromkeys(range(16, 27), SHOWN),
    **dict.fromkeys(
        (18, 19), (*SHOWN, (MARKUP, "test_only_allowed_tags_come_out_and_a_second_reading_changes_nothing"))
    ),
    24: (
        *SHOWN,
        ("engine/test_hub.py", "test_hostile_text_cannot_end_a_frame"),
        ("web/test_stream.py", "test_the_words_of_a_reply_join_to_the_stored_text_and_cannot_become_frames"),
    ),
    28: (
        ("web/test_portraits.py", "test_a_portrait_is_made_anew_small_and_without_what_else_was_in_the_file"),
        ("web/test_portraits.py", "test_a_file_that_is_no_picture_is_refused_with_a_sentence"),
    ),
    29: (
        (B[0], "test_hostile_text_is_only_text_wherever_it_shows"),
        (HOSTILE, "test_hostile_text_in_every_field_is_only_text"),
        ("prompts/test_quoting.py", "test_card_text_fills_in_names_once_and_has_no_tags_or_roles"),
        ("prompts/test_quoting.py", "test_a_name_that_is_a_macro_is_not_expanded_again"),
    ),
    49: (
        ("store/test_recall.py", "test_any_text_may_ask"),
        ("store/test_recall.py", "test_a_bot_finds_only_its_own_in_its_continuity"),
        (
            "store/test_recall.py",
            "test_the_finds_of_a_word_are_bounded_and_what_holds_two_rare_words_is_found",
        ),
    ),
    53: (("test_observe.py", "test_case_53_nothing_can_start_a_line_of_its_own"),),
    56: (("browser/test_connection.py", "test_eight_tabs_share_one_connection"),),
    57: (("web/test_stream.py", "test_a_listener_that_goes_away_does_not_end_the_reply"),),
    58: (("engine/test_turn.py", "test_two_posts_at_the_same_instant_start_one_reply"),),
    76: (
        (KEPT, "test_only_names_of_the_listing_lead_to_a_file"),
        ("web/test_backups.py", "test_only_listed_names_lead_anywhere"),
    ),
    77: (
        (KEPT, "test_a_link_put_in_the_place_of_a_listed_file_is_not_followed"),
        (KEPT, "test_a_folder_that_is_a_link_is_refused"),
    ),
    78: (
        (FOREIGN, "test_what_is_no_whole_database_is_refused_and_nothing_is_touched"),
        (FOREIGN, "test_a_broken_page_of_the_log_is_refused_and_one_of_anything_else_does_no_harm"),
        (FOREIGN, "test_a_huge_hollow_file_is_refused_before_a_byte_is_copied"),
        (FOREIGN, "test_a_database_without_an_ordinary_log_is_refused"),
        (FOREIGN, "test_an_event_of_a_newer_program_is_refused"),
        (FOREIGN, "test_what_else_is_in_a_foreign_file_does_not_come_along"),
        (FOREIGN, "test_an_older_schema_is_no_hindrance"),
    ),
    79: (("store/test_restore.py", "test_a_kill_at_any_stage_leaves_the_old_stories_or_the_new_ones_whole"),),
    80: ((KEPT, "test_every_backup_taken_while_turns_are_written_ends_with_a_whole_command"),),
    81: (
        (KEPT, "test_a_full_disk_leaves_the_earlier_backup_and_no_file_under_a_final_name"),
        (WRITES, "test_a_backup_gets_a_name_only_when_it_is_whole"),
        ("web/test_backups.py", "test_a_backup_that_fails_is_told_and_the_list_stays"),
    ),
    82: (
        (KEPT, "test_the_last_verified_one_is_never_taken_away"),
        (KEPT, "test_a_clock_years_ahead_takes_no_backup_away"),
    ),
    83: (
        (KEPT, "test_a_changed_byte_in_the_log_is_found_and_nothing_gets_a_name"),
        (FOREIGN, "test_a_manifest_that_tells_of_another_head_is_not_believed"),
        (
            "store/test_trial.py",
            "test_a_byte_that_changes_between_the_copying_and_the_trial_keeps_the_backup_from_counting",
        ),
    ),
    84: (
        (FOREIGN, "test_a_changed_row_is_found_although_sqlite_sees_nothing"),
        (FOREIGN, "test_a_changed_byte_in_a_backup_of_our_own_is_found"),
        ("store/test_verify.py", "test_a_changed_byte_in_the_log_is_found_although_sqlite_sees_nothing"),
    ),
    85: (
        (SHOTS, "test_a_damaged_snapshot_is_left_aside_with_a_warning"),
        (SHOTS, "test_a_snapshot_of_another_database_or_of_a_later_head_is_not_used"),
        (SHOTS, "test_a_snapshot_by_another_program_is_not_used"),
        (SHOTS, "test_rows_that_do_not_fit_are_left_aside_and_the_chat_is_folded_anew"),
        (HEALTH, "test_a_damaged_snapshot_is_told_of_as_nothing_to_worry_about"),
    ),
    86: (
        ("properties/test_snapshots.py", "test_a_snapshot_and_what_came_after_it_are_the_whole_story"),
        ("properties/test_jumps.py", "test_jumps_that_leave_most_behind_end_where_all_others_do"),
    ),
    87: (
        ("web/test_transcripts.py", "test_both_files_hold_what_the_page_shows_and_nothing_behind_it"),
        ("web/test_transcripts.py", "test_a_hostile_title_makes_one_header_and_a_name_any_disk_takes"),
    ),
    88: ((KEPT, "test_an_open_umask_opens_nothing"),),
    89: (
        ("kills/test_kills.py", "test_a_kill_at_any_instant_loses_nothing_and_leaves_nothing_half_done"),
        ("store/test_faults.py", "test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged"),
    ),
    90: (
        (WRITES, "test_a_command_is_whole_or_not_there"),
        (WRITES, "test_a_start_leaves_what_it_found"),
        (WRITES, "test_a_restore_leaves_the_old_stories_or_the_new_ones"),
        (CLOCKS, "test_a_way_back_that_fails_at_the_last_rename_takes_up_again_what_it_had_ended"),
    ),
    91: (
        (MACHINE, "test_a_full_disk_keeps_the_words_and_the_story_goes_on_once_there_is_room"),
        ("store/test_faults.py", "test_a_full_disk_changes_nothing_and_the_story_goes_on_once_there_is_room"),
    ),
    92: ((DISK, "test_what_cannot_be_written_to_is_read_and_goes_on_by_itself_once_it_can"),),
    93: (
        (DAMAGE, "test_damage_outside_the_log_is_noticed_and_mended_from_the_log"),
        (DAMAGE, "test_damage_in_the_log_stops_all_writing_and_names_the_backup"),
        (DISK, "test_a_damaged_log_is_told_on_every_page_and_the_way_back_is_one_of_them"),
        (DISK, "test_a_damaged_search_index_is_written_anew_while_the_program_runs"),
    ),
    94: (
        (DAMAGE, "test_what_lies_behind_a_tear_in_the_write_ahead_log_is_kept"),
        (DISK, "test_a_torn_write_ahead_log_is_told_although_sqlite_finds_nothing"),
    ),
    95: (
        (STARTS, "test_a_second_server_is_told_who_has_the_folder"),
        (MACHINE, "test_a_second_server_names_the_first_and_a_kill_leaves_no_lock"),
    ),
    96: (
        (MACHINE, "test_a_database_locked_by_another_program_is_waited_for_and_then_told"),
        ("store/test_faults.py", "test_a_lock_of_another_program_is_waited_for_off_the_event_loop"),
    ),
    97: ((MACHINE, "test_a_reader_that_stays_harms_nothing_and_is_told_of"),),
    98: ((WRITES, "test_a_command_is_acknowledged_only_once_its_log_is_synced"),),
    99: (
        (MACHINE, "test_no_more_open_files_is_got_over"),
        (MACHINE, "test_no_more_memory_is_got_over"),
    ),
    100: (
        (STARTS, "test_an_unknown_kind_stops_the_start_and_changes_nothing"),
        (STARTS, "test_a_rebuild_that_fails_leaves_the_tables_and_the_checks_as_they_were"),
        (DISK, "test_an_event_of_a_newer_program_stops_the_start_with_a_sentence"),
    ),
    101: (
        ("store/test_migrate.py", "test_a_migration_interrupted_at_any_statement_leaves_the_old_schema"),
        ("store/test_migrate.py", "test_a_newer_database_is_refused"),
    ),
    102: (("engine/test_flat.py", "test_turns_notes_recall_and_pages_cost_no_more_in_a_longer_story"),),
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
    121: (
        ("engine/test_clock.py", "test_a_clock_that_jumps_changes_neither_order_nor_durations"),
        (CLOCKS, "test_a_clock_that_is_put_back_makes_no_second_one_at_once_and_stops_none_for_ever"),
        (HEALTH, "test_a_clock_that_went_back_a_year_is_told_of_until_it_is_right_and_harms_no_story"),
    ),
    122: (
        (CLOCKS, "test_there_is_one_backup_a_local_day_where_clocks_are_changed"),
        (CLOCKS, "test_where_three_comes_twice_the_second_is_no_new_day"),
    ),
    123: (
        (CLOCKS, "test_a_machine_that_slept_at_three_makes_up_for_it_once"),
        (CLOCKS, "test_a_program_that_is_started_once_a_week_makes_one_each_time"),
    ),
    124: (
        (CLOCKS, "test_another_time_zone_is_no_reason_for_a_second_one"),
        (CLOCKS, "test_the_next_look_is_never_far_behind_three_and_never_long_in_the_past"),
    ),
    125: ((CLOCKS, "test_a_backup_that_is_still_running_is_waited_for_and_the_daily_one_left_out"),),
}
"""Cases held, wholly or besides, by tests of the part that stands them."""

IN_PART: dict[int, str] = {
    20: "an address in a story is text and no link to press: a model would choose where it leads",
    21: "for the same reason no story holds a link, to our own routes or to others, so none needs a rel",
    49: "recall is the one search there is, and no page asks it; its seconds are measured by `make bench`",
    80: "nothing is imported yet, so no backup is made during an import",
    86: "more than a thousand cuts in each run; CUT_EXAMPLES and CUT_STEPS make it the ten thousand and more",
    87: "what goes out as a file cannot come in yet: the way there and back comes with importing",
    89: "a hundred kills in CI, a thousand with `make kills`",
    96: "a lock that outlasts two turns stands for one of sixty seconds: each waits five and is refused",
    97: "what counts of an hour is what is written in it",
    98: "that the sync comes before the acknowledgement; no disk is played that reorders what it was given",
    102: "what a long story costs is counted here; the seconds are measured by `make bench`, see docs/performance.md",
    121: "recall goes by the order of turns and knows no age in seconds that could be negative",
}
"""What of a case no test of the suite does, and why."""

CASES = [*range(1, 31), *range(47, 59), *range(76, 126)]


@pytest.mark.parametrize("case", CASES)
def test_every_case_has_its_test(case: int) -> None:
    assert case in NUMBERED or case in NAMED
    if case in NUMBERED:
        texts = [(TESTS / path).read_text("utf-8") for path in NUMBERED[case]]
        number = re.compile(rf"def test_case_{case:02}_")
        assert any(number.search(text) for text in texts), f"no test of case {case}"
    for path, name in NAMED.get(case, ()):
        assert re.search(rf"def {name}\(", (TESTS / path).read_text("utf-8")), f"{path} has no {name}"


def test_what_no_test_does_is_said_of_cases_that_there_are() -> None:
    assert set(IN_PART) <= set(CASES)
