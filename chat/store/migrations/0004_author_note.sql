-- The author's note of a chat: its words, where it stands in a prompt, and the event that set it last.
alter table chat_state add column note text not null default '';
alter table chat_state add column note_stands text not null default 'last';
alter table chat_state add column note_revision integer not null default 0;
