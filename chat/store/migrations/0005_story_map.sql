-- Moments with a name, and what the picture of a chat's branches is drawn from: rows for every branch, selected or not.
create table checkpoints (
    id text primary key,
    chat_id text not null references chats (id) on delete cascade,
    branch_id text not null,
    step integer not null,
    name text not null,
    created_at text not null
) strict;

create index checkpoints_chat on checkpoints (chat_id);

create table branch_tips (
    id text primary key,
    chat_id text not null references chats (id) on delete cascade,
    step integer not null
) strict;

create index branch_tips_chat on branch_tips (chat_id);

create table scene_starts (
    id text primary key,
    chat_id text not null references chats (id) on delete cascade,
    branch_id text not null,
    step integer not null,
    container_id text not null,
    at text not null
) strict;

create index scene_starts_line on scene_starts (chat_id, branch_id, step);

create table place_names (
    id text primary key,
    chat_id text not null references chats (id) on delete cascade,
    name text not null
) strict;

create index place_names_chat on place_names (chat_id);
