-- Words of a turn after they were changed or written on, of the selected line. The turn's own row keeps the first ones.
create table turn_versions (
    turn_id text not null,
    step integer not null,
    chat_id text not null references chats (id) on delete cascade,
    event_id integer not null,
    made text not null,
    text text not null,
    segments text not null,
    truncated integer not null,
    stop_reason text not null,
    error_code text not null,
    error_message text not null,
    error_next_step text not null,
    digest_outcome text not null,
    ts text not null,
    primary key (turn_id, step)
) strict, without rowid;

create index turn_versions_chat on turn_versions (chat_id, step);
create index turn_versions_undigested on turn_versions (chat_id) where made = 'continued' and digest_outcome = '';
