"""Block 3, experience sources: from environments and an agent to rows."""

from itertools import islice

from toy import CountingEnv

from ptan.experience import ExperienceSource, ExperienceSourceFirstLast


def agent(observations, agent_states):
    """Always does 1; any function of this form is an agent."""
    return [1] * len(observations), agent_states


print("every two steps in a row, and the shorter tail of the episode:")
for steps in islice(ExperienceSource(CountingEnv(), agent, steps_count=2), 4):
    print(" ", steps)

print("the same windows as one row each, rewards discounted (gamma 0.9):")
for row in islice(ExperienceSourceFirstLast(CountingEnv(), agent, gamma=0.9, steps_count=2), 4):
    print(" ", row, f"spans {row.steps}, discount {row.discount:.2f}")

print("cut off by a time limit: None as well, but the discount and the true last state stay:")
limited = CountingEnv(truncates=True)
for row in islice(ExperienceSourceFirstLast(limited, agent, gamma=0.9, steps_count=2), 4):
    print(" ", row, f"discount {row.discount:.2f}, final state {row.final_state}")

print("two environments, stepped in turn, one call of the agent for both:")
source = ExperienceSourceFirstLast([CountingEnv(2), CountingEnv(3)], agent, gamma=0.9)
for row in islice(source, 7):
    print(" ", row)
print("finished episodes (reward, steps):", source.pop_rewards_steps())
