-- The portrait of a bot or persona: the id of a picture in the media folder, empty for none.
alter table bots add column portrait text not null default '';
alter table people add column portrait text not null default '';
