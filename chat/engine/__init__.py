"""One thing happening, start to end: the steps of a turn and every other command of the player, in order."""
