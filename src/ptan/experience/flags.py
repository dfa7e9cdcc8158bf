"""How a step ended and what is special about it: one bit each, in a uint8 from tape to rows."""

TERMINATED = 1  # the environment ended the episode (or a life): no future to bootstrap from
TRUNCATED = 2  # it was cut off there: its true last observation has a value
ENDED = TERMINATED | TRUNCATED
EPISODE_OVER = 4  # the game is over too, not only a life
INT_REWARD = 8  # the reward was an int: 1 and 1.0 differ when printed
RAW_REWARD = 16  # the tape has the game's own reward beside the one to learn from
NO_TRANSITION = 32  # the environment was only reset, or waited: nothing to learn
KEEPS_LAST = 64  # a row made by hand that ended and yet names its last_state
NO_FINAL = 128  # a row made by hand that does not say what came after it
