-- From which step on a bot that was reset remembers.
alter table chat_state add column resets text not null default '{}';
