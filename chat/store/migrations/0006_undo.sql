-- Going back: where an event lies in its story, and what stood in the tables before each recent commit of a chat.
create index event_log_place on event_log (branch_id, step) where branch_id is not null;

-- Not a mirror of the log: derived from it, may be empty at any time, and then going back folds the chat anew.
create table undo_rows (
    id integer primary key,
    chat_id text not null,
    first_event_id integer not null,
    images blob not null
) strict;

create unique index undo_rows_place on undo_rows (chat_id, first_event_id);
