-- What a far jump left behind: rows of a chat that came of these events stand for a line that is not selected any more.
-- They are hidden at once by the views below, and deleted little by little. Not a mirror; empty when all is deleted.
create table abandoned (
    chat_id text not null,
    from_event_id integer not null,
    before_event_id integer not null,
    primary key (chat_id, from_event_id)
) strict, without rowid;

-- Whoever reads these rows reads them here; whoever writes them writes the tables.
create view visible_memories as select m.* from memories m where not exists (
    select 1 from abandoned a
    where m.event_id >= a.from_event_id and m.event_id < a.before_event_id and a.chat_id = m.chat_id
);

create view visible_edge_changes as select c.* from edge_changes c where not exists (
    select 1 from abandoned a
    where c.event_id >= a.from_event_id and c.event_id < a.before_event_id and a.chat_id = c.chat_id
);

create view visible_witnesses as select w.* from witnesses w where not exists (
    select 1 from abandoned a cross join memories m
    where a.chat_id = w.chat_id and m.id = w.memory_id
    and m.event_id >= a.from_event_id and m.event_id < a.before_event_id
);
