-- Deletion for good: a line of the log may be blanked, and nothing else of it changed, once a later event says so.
-- A blank keeps the hash of what it said in the place of the salt, so the chain stays whole.
create index event_log_erasures on event_log (id) where kind = 'words_erased';

drop trigger event_log_never_changes;

create trigger event_log_never_changes before update on event_log
when not (
    new.payload_json = '{}' and length(new.salt) = 32 and old.kind <> 'words_erased'
    and new.id = old.id and new.stream = old.stream and new.branch_id is old.branch_id and new.step is old.step
    and new.kind = old.kind and new.version = old.version and new.ts = old.ts
    and new.caused_by is old.caused_by and new.hash = old.hash
    and exists (
        select 1 from event_log erased where erased.kind = 'words_erased' and erased.id > old.id and (
            exists (
                select 1 from json_each(erased.payload_json, '$.streams')
                where value = old.stream and old.stream like 'chat:%'
            )
            or exists (select 1 from json_each(erased.payload_json, '$.events') where value = old.id)
        )
    )
)
begin
    select raise(abort, 'event_log is append-only: an event is never changed');
end;

-- Erasures whose words may still lie in free pages and files. Not a mirror; empty when all is done. `pictures` are ids
-- of portraits that went with them; with `takes_copies`, backups that hold the words go too.
create table erasing (
    event_id integer primary key,
    first_event_id integer not null,
    pictures text not null,
    takes_copies integer not null,
    is_rewritten integer not null default 0
) strict;
