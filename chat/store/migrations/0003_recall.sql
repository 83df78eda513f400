-- Recall: facts found in a memory are searched with it, its neighbours are found by owner, its day by story time.
drop trigger memories_fts_insert;
drop trigger memories_fts_delete;
drop trigger memories_fts_update;
drop table memories_fts;

create virtual table memories_fts using fts5 (
    text, keys, scope, content = 'memories', content_rowid = 'event_id', tokenize = 'porter unicode61'
);
insert into memories_fts (memories_fts) values ('rebuild');

create trigger memories_fts_insert after insert on memories
begin
    insert into memories_fts (rowid, text, keys, scope) values (new.event_id, new.text, new.keys, new.scope);
end;

create trigger memories_fts_delete after delete on memories
begin
    insert into memories_fts (memories_fts, rowid, text, keys, scope)
    values ('delete', old.event_id, old.text, old.keys, old.scope);
end;

create trigger memories_fts_update after update of event_id, text, keys, scope on memories
when old.text <> new.text or old.keys <> new.keys or old.scope <> new.scope or old.event_id <> new.event_id
begin
    insert into memories_fts (memories_fts, rowid, text, keys, scope)
    values ('delete', old.event_id, old.text, old.keys, old.scope);
    insert into memories_fts (rowid, text, keys, scope) values (new.event_id, new.text, new.keys, new.scope);
end;

drop index memories_chat;
create index memories_neighbours on memories (chat_id, owner, level);
create index memories_when on memories (scope, at);
