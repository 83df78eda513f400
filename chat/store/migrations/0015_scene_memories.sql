-- What was kept of whole scenes stands in a prompt for turns that are not shown any more.
create index memories_of_scenes on memories (chat_id, owner, turn_id) where level = 'scene';
