"""Small replay buffers: a right one of each kind, and wrong ones with one known bug each."""

import numpy as np

from ptan.experience import Batch


def wrong(base, **methods):
    """A buffer with other methods; they are called with `super()` behind self."""

    def method(change):
        return lambda self, *arguments: change(self, super(cls, self), *arguments)

    cls = type("Wrong", (base,), {name: method(change) for name, change in methods.items()})
    return cls


class ListBuffer:
    """Right: a ring in a list."""

    def __init__(self, source, capacity):
        self.source = None if source is None else iter(source)
        self.capacity, self.rows, self.end = capacity, [], 0
        self.rng = np.random.default_rng(1)

    def add(self, row):
        if len(self.rows) < self.capacity:
            self.rows.append(row)
        else:
            self.rows[self.end % self.capacity] = row
        self.end += 1

    def populate(self, count):
        for _ in range(count):
            self.add(next(self.source))

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        cut = self.end % self.capacity if len(self.rows) == self.capacity else 0
        return iter(self.rows[cut:] + self.rows[:cut])

    def sample(self, count):
        return [self.rows[i] for i in self.rng.integers(len(self.rows), size=count)]


class RecursesOnOne(ListBuffer):
    """Draws again until it is another row than the newest."""

    def draw(self):
        i = int(self.rng.integers(len(self.rows)))
        if len(self.rows) == 1:
            return self.draw()
        return self.rows[i]

    def sample(self, count):
        return [self.draw() for _ in range(count)]


class KeepsTooLong(ListBuffer):
    """Overwrites one slot only."""

    def add(self, row):
        if len(self.rows) == self.capacity:
            self.rows[0] = row
        else:
            self.rows.append(row)
        self.end += 1


class HalfExtends(ListBuffer):
    """Refuses rows of another shape, after the ones before them went in."""

    def extend(self, rows):
        for row in rows:
            if np.shape(row.state) != (3,):
                raise ValueError("shape")
            self.add(row)


class BatchBuffer(ListBuffer):
    """Right: hands out a `Batch`."""

    def sample(self, count):
        return Batch.from_rows(super().sample(count))


class SharedColumns(BatchBuffer):
    """States and next states are one array."""

    def sample(self, count):
        batch = super().sample(count)
        batch.last_states = batch.states
        return batch


class ColumnsOfItsOwn:
    """A batch whose states are a view of the buffer's array."""

    def __init__(self, rows, states):
        self.rows, self.states = rows, states

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        return iter(self.rows)


class LivingColumns(ListBuffer):
    """Samples a view when the whole buffer is asked for, in order."""

    def __init__(self, source, capacity):
        super().__init__(source, capacity)
        self.states = np.zeros((capacity, 3), np.float32)

    def add(self, row):
        self.states[self.end % self.capacity] = row.state
        super().add(row)

    def sample(self, count):
        if count == len(self.rows):
            return ColumnsOfItsOwn(list(self.rows), self.states[:count])
        return super().sample(count)


class PriorityList(ListBuffer):
    """Right: prioritized, by a draw over all."""

    beta_start, beta_frames = 0.4, 1000

    def __init__(self, source, capacity, alpha):
        super().__init__(source, capacity)
        self.alpha, self.beta, self.greatest = alpha, self.beta_start, 1.0
        self.priorities = np.zeros(capacity)
        self.rng = np.random.default_rng(2)

    def add(self, row):
        self.priorities[self.end % self.capacity] = self.newest_priority()
        super().add(row)

    def newest_priority(self):
        return self.greatest

    def chances(self):
        powers = self.priorities[: len(self.rows)] ** self.alpha
        return powers / powers.sum()

    def update_beta(self, frame):
        share = min(1.0, frame / self.beta_frames)
        self.beta = self.beta_start + (1 - self.beta_start) * share
        return self.beta

    def sample(self, count, beta=None):
        chances = self.chances()
        slots = self.rng.choice(len(self.rows), count, p=chances)
        weights = self.weights(chances, slots, self.beta if beta is None else beta)
        first = self.end - len(self.rows)
        numbers = first + (slots - first) % self.capacity
        return [self.rows[i] for i in slots], numbers, weights

    def weights(self, chances, slots, beta):
        weights = (len(self.rows) * chances[slots]) ** -beta
        return weights / weights.max()

    def update_priorities(self, numbers, priorities):
        if len(numbers) != len(priorities) or not np.isfinite(priorities).all():
            raise ValueError("priorities")
        if (priorities <= 0).any() or (numbers < 0).any() or (numbers >= self.end).any():
            raise ValueError("numbers")
        for number, priority in zip(numbers, priorities, strict=True):
            self.update(number, priority)

    def update(self, number, priority):
        if number >= self.end - len(self.rows):
            self.priorities[number % self.capacity] = priority
            self.greatest = max(self.greatest, priority)
