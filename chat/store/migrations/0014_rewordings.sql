-- The picture of a chat's branches tells each turn in the words that stand on its branch, whichever branch is selected.
create index event_log_rewordings on event_log (branch_id, step)
where kind in ('user_turn_edit', 'turn_edited', 'turn_continued');
