"""Block 4, replay buffers: rows in, batches out."""

import numpy as np
from toy import CountingEnv

from ptan.experience import (
    ExperienceReplayBuffer,
    ExperienceSourceFirstLast,
    PrioritizedReplayBuffer,
    batch_generator,
)


def agent(observations, agent_states):
    """Always does 1."""
    return [1] * len(observations), agent_states


source = ExperienceSourceFirstLast(CountingEnv(), agent, gamma=0.9, steps_count=2)
buffer = ExperienceReplayBuffer(source, buffer_size=6, rng=1)
buffer.populate(5)
print("stored rows:", *buffer, sep="\n  ")

batch = buffer.sample(4)
print("a batch is a sequence of rows:", *batch, sep="\n  ")
print("… and columns:")
for name in ("states", "actions", "rewards", "last_states", "dones", "discounts"):
    print(f"  {name}: {getattr(batch, name)}")
print("… and tensors:", batch.to("cpu").rewards)

for number, batch in enumerate(batch_generator(buffer, initial=1, batch_size=2)):
    print(f"one more row, {len(buffer)} stored; sampled states {batch.states}")
    if number == 2:
        break

source = ExperienceSourceFirstLast(CountingEnv(), agent, gamma=0.9)
prioritized = PrioritizedReplayBuffer(source, buffer_size=4, alpha=1.0, rng=1)
prioritized.populate(4)
prioritized.update_priorities(np.arange(4), [1.0, 1.0, 1.0, 7.0])
batch, indices, weights = prioritized.sample(5, beta=0.4)
print("prioritized: rows", indices, "weights", weights.round(2))
