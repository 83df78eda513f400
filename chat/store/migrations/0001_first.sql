-- The log, its mirror and what is neither. Column order of a mirror table is the order of its record's fields;
-- tests/store/test_schema.py holds both together.

-- The log: only ever appended to. Ids grow, are never handed out twice, and a replaced row fires no delete trigger,
-- so the insert itself is guarded.
create table event_log (
    id integer primary key autoincrement,
    stream text not null,
    branch_id text,
    step integer,
    kind text not null,
    version integer not null,
    ts text not null,
    caused_by text,
    payload_json text not null,
    salt blob not null,
    hash blob not null
) strict;

create index event_log_stream on event_log (stream);

create trigger event_log_only_grows before insert on event_log
when new.id <= (select coalesce(max(id), 0) from event_log)
begin
    select raise(abort, 'event_log is append-only: an event is never replaced');
end;

create trigger event_log_never_changes before update on event_log
begin
    select raise(abort, 'event_log is append-only: an event is never changed');
end;

create trigger event_log_never_shrinks before delete on event_log
begin
    select raise(abort, 'event_log is append-only: an event is never deleted');
end;

-- How far the mirror has followed the log, and which program folded it. One row.
create table projector (
    id integer primary key check (id = 1),
    cursor integer not null,
    fingerprint text not null
) strict;

insert into projector (id, cursor, fingerprint) values (1, 0, '');

-- Unfinished text of the player. Not a mirror: it survives a rebuild.
create table drafts (
    key text primary key,
    body text not null,
    updated_at text not null
) strict, without rowid;

-- Library.
create table bots (
    id text primary key,
    name text not null,
    persona text not null,
    appearance text not null,
    voice_samples text not null,
    traits text not null,
    backstory text not null,
    initial_relationship_to_you text not null,
    kickoff_prose text not null,
    archived integer not null,
    created_at text not null,
    updated_at text not null
) strict;

create table people (
    id text primary key,
    name text not null,
    pronouns text not null,
    persona text not null,
    appearance text not null,
    is_default integer not null,
    updated_at text not null
) strict;

create table chats (
    id text primary key,
    title text not null,
    bot_ids text not null,
    you_id text not null,
    continuity text not null,
    branch_id text not null,
    archived integer not null,
    created_at text not null
) strict;

create table branches (
    id text primary key,
    chat_id text not null references chats (id) on delete cascade,
    parent_id text,
    fork_step integer not null,
    reason text not null,
    created_at text not null
) strict;

-- Turns of every branch.
create table turns (
    id text primary key,
    chat_id text not null references chats (id) on delete cascade,
    branch_id text not null,
    step integer not null,
    role text not null,
    speaker text not null,
    text text not null,
    segments text not null,
    present text not null,
    is_running integer not null,
    truncated integer not null,
    stop_reason text not null,
    error_code text not null,
    error_message text not null,
    error_next_step text not null,
    reply_to text,
    model text not null,
    call_id text,
    reasoning text not null,
    origin text not null,
    scene_id text not null,
    at text not null,
    ts text not null,
    event_id integer not null,
    started_event_id integer,
    idempotency_key text not null
) strict;

create index turns_line on turns (chat_id, branch_id, step);
create index turns_key on turns (chat_id, idempotency_key) where idempotency_key <> '';
create index turns_running on turns (chat_id) where is_running = 1;

-- The selected line of each chat.
create table chat_state (
    chat_id text primary key references chats (id) on delete cascade,
    head_step integer not null,
    clock_at text not null,
    weather text not null,
    narrative_anchor text not null,
    scene_id text,
    present text not null,
    running_turn_id text,
    last_ts text not null
) strict, without rowid;

create table containers (
    id text primary key,
    chat_id text not null references chats (id) on delete cascade,
    name text not null,
    container_type text not null,
    parent_id text,
    is_moving integer not null,
    is_public integer not null,
    audible_range text not null
) strict;

create index containers_chat on containers (chat_id);

create table scenes (
    id text primary key,
    chat_id text not null references chats (id) on delete cascade,
    container_id text not null,
    participants text not null,
    opened_at text not null,
    closed_at text not null,
    significance integer not null,
    reason text not null
) strict;

create index scenes_chat on scenes (chat_id);

create table activities (
    chat_id text not null references chats (id) on delete cascade,
    entity text not null,
    container_id text not null,
    slot text not null,
    posture text not null,
    action text not null,
    attention text not null,
    holding text not null,
    status text not null,
    is_interruptible integer not null,
    required_attention text not null,
    expected_minutes integer,
    primary key (chat_id, entity)
) strict, without rowid;

create table edges (
    chat_id text not null references chats (id) on delete cascade,
    source text not null,
    target text not null,
    affinity integer not null,
    trust integer not null,
    summary text not null,
    facts text not null,
    last_reason text not null,
    last_turn_id text,
    from_chat_id text,
    last_at text not null,
    primary key (chat_id, source, target)
) strict, without rowid;

create table edge_changes (
    event_id integer primary key,
    chat_id text not null references chats (id) on delete cascade,
    source text not null,
    target text not null,
    affinity_delta integer not null,
    trust_delta integer not null,
    affinity integer not null,
    trust integer not null,
    reason text not null,
    turn_id text not null
) strict;

create index edge_changes_pair on edge_changes (chat_id, source, target);

-- The event id is the row id, so the search index refers to the same memory after any rebuild.
create table memories (
    event_id integer primary key,
    id text not null unique,
    owner text not null,
    continuity text not null,
    chat_id text not null references chats (id) on delete cascade,
    turn_id text not null,
    scene_id text not null,
    text text not null,
    scope text not null,
    at text not null,
    source text not null,
    reliability real not null,
    significance integer not null,
    pinned integer not null,
    auto_pinned integer not null,
    consolidated integer not null
) strict;

create index memories_owner on memories (owner, continuity);
create index memories_chat on memories (chat_id);

create table witnesses (
    memory_id text not null references memories (id) on delete cascade,
    entity text not null,
    chat_id text not null,
    primary key (memory_id, entity)
) strict, without rowid;

create virtual table memories_fts using fts5 (
    text, scope, content = 'memories', content_rowid = 'event_id', tokenize = 'porter unicode61'
);

create trigger memories_fts_insert after insert on memories
begin
    insert into memories_fts (rowid, text, scope) values (new.event_id, new.text, new.scope);
end;

create trigger memories_fts_delete after delete on memories
begin
    insert into memories_fts (memories_fts, rowid, text, scope)
    values ('delete', old.event_id, old.text, old.scope);
end;

create trigger memories_fts_update after update of event_id, text, scope on memories
when old.text <> new.text or old.scope <> new.scope or old.event_id <> new.event_id
begin
    insert into memories_fts (memories_fts, rowid, text, scope)
    values ('delete', old.event_id, old.text, old.scope);
    insert into memories_fts (rowid, text, scope) values (new.event_id, new.text, new.scope);
end;

-- Ledger.
create table model_calls (
    id text primary key,
    chat_id text,
    turn_id text,
    purpose text not null,
    endpoint text not null,
    model_asked text not null,
    model_answered text not null,
    attempts integer not null,
    status text not null,
    stop_cause text not null,
    prompt_tokens integer not null,
    completion_tokens integer not null,
    is_estimate integer not null,
    duration_ms real not null,
    first_token_ms real,
    cached_tokens integer,
    cost_nano_usd integer,
    request_id text,
    ts text not null
) strict;

create index model_calls_turn on model_calls (turn_id) where turn_id is not null;
create index model_calls_chat on model_calls (chat_id) where chat_id is not null;

create table ledger_totals (
    id integer primary key check (id = 1),
    calls integer not null,
    prompt_tokens integer not null,
    completion_tokens integer not null,
    cost_nano_usd integer not null,
    accepted_gaps integer not null
) strict;
