-- What a digest and the player's own hand leave behind: fixed values, revisions, pins in order, search keys.
alter table turns add column digest_outcome text not null default '';

alter table chat_state add column fixed text not null default '[]';
alter table chat_state add column setting_revision integer not null default 0;

alter table containers add column revision integer not null default 0;
alter table activities add column revision integer not null default 0;
alter table edges add column revision integer not null default 0;

alter table memories add column pin_event_id integer not null default 0;
alter table memories add column level text not null default 'turn';
alter table memories add column keys text not null default '[]';
alter table memories add column revision integer not null default 0;
create index memories_pinned on memories (chat_id) where pinned = 1;
create index memories_turn on memories (turn_id);
create index memories_scene on memories (scene_id, owner);
create index turns_undigested on turns (event_id)
where role = 'assistant' and digest_outcome = '' and is_running = 0 and origin = 'reply' and text <> '';
