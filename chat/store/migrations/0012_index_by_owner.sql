-- The search index lists what one bot remembers in one stretch, its newest first, so a search reads only that stretch.
drop trigger memories_fts_insert;
drop trigger memories_fts_delete;
drop trigger memories_fts_update;
drop table memories_fts;

-- The first digits of the scope, then the event counted backwards: 2^39 - 1 is the last place of each scope.
alter table memories add column place integer generated always as (
    ((instr('0123456789abcdef', substr(scope, 2, 1)) - 1) << 59)
    + ((instr('0123456789abcdef', substr(scope, 3, 1)) - 1) << 55)
    + ((instr('0123456789abcdef', substr(scope, 4, 1)) - 1) << 51)
    + ((instr('0123456789abcdef', substr(scope, 5, 1)) - 1) << 47)
    + ((instr('0123456789abcdef', substr(scope, 6, 1)) - 1) << 43)
    + ((instr('0123456789abcdef', substr(scope, 7, 1)) - 1) << 39)
    + 549755813887 - event_id
) virtual;

-- In the order of the index, because one that is written out of order is written many times. The limit keeps the order.
create view memories_by_place as
select m.place, m.text, m.keys
from (select event_id from memories order by place limit -1) o cross join memories m on m.event_id = o.event_id;

create virtual table memories_fts using fts5 (
    text, keys, content = 'memories_by_place', content_rowid = 'place', tokenize = 'porter unicode61'
);
insert into memories_fts (memories_fts) values ('rebuild');

create trigger memories_fts_insert after insert on memories
begin
    insert into memories_fts (rowid, text, keys) values (new.place, new.text, new.keys);
end;

-- What was taken out of the index already, many at once, is not taken out again.
create trigger memories_fts_delete after delete on memories
when exists (select 1 from memories_fts_docsize where id = old.place)
begin
    insert into memories_fts (memories_fts, rowid, text, keys)
    values ('delete', old.place, old.text, old.keys);
end;

create trigger memories_fts_update after update of event_id, text, keys, scope on memories
when old.text <> new.text or old.keys <> new.keys or old.scope <> new.scope or old.event_id <> new.event_id
begin
    insert into memories_fts (memories_fts, rowid, text, keys)
    values ('delete', old.place, old.text, old.keys);
    insert into memories_fts (rowid, text, keys) values (new.place, new.text, new.keys);
end;
