"""What a loop tells of itself: loop.stats().

The loop counts as it goes, in C, and reads no clock to do so: lengths of turns are differences of
the time that libuv has looked up anyway, in whole milliseconds. One turn's length may be wrong by
one; sums and averages are right.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lag:
    """A histogram of how long the loop's turns kept others waiting.

    A turn begins when the poll ends (or, if it was not to wait, when it begins), includes waiting
    for the interpreter while other threads have it, and ends before the next poll: whatever
    becomes ready in between has to wait until then.

    Attributes:
        bounds: upper bounds of the buckets, in milliseconds, ascending. A turn is counted in the
            first bucket whose bound it is below.
        counts: turns per bucket; one more than there are bounds, for turns above the last.
        max: the longest turn, in milliseconds.
        total: all turns together, in milliseconds.
    """

    bounds: tuple[int, ...]
    counts: tuple[int, ...]
    max: int
    total: int

    @property
    def count(self) -> int:
        """How many turns are counted."""
        return sum(self.counts)

    @property
    def mean(self) -> float:
        """The average turn, in milliseconds; 0 without any."""
        return self.total / self.count if self.count else 0.0

    def percentile(self, percent: float) -> int:
        """The bound, in milliseconds, below which so many turns have stayed.

        It is the upper bound of the bucket that the percentile falls into, or the longest turn if
        that is shorter; 0 without any turns.

        Args:
            percent: 0 to 100, such as 99.9.

        Raises:
            ValueError: it is none of these.
        """
        if not 0 <= percent <= 100:
            raise ValueError(f"a percentile is between 0 and 100, not {percent!r}")
        wanted = self.count * percent / 100
        if not self.count:
            return 0
        seen = 0
        for bound, count in zip((*self.bounds, self.max), self.counts, strict=True):
            seen += count
            if count and seen >= wanted:
                return bound if bound == self.bounds[0] else min(bound, self.max)
        return self.max


@dataclass(frozen=True, slots=True)
class Stats:
    """A loop's counts at one moment. Those that only grow (marked +) count since it was made.

    Attributes:
        running: whether it runs.
        turns: + turns of the loop; each polls once.
        callbacks: + callbacks run: those of call_soon() and its kin, of timers, of futures and
            tasks, and of watched files. What sockets of transports call is not among them.
        timers_fired: + timers that came due; those cancelled before are not among them.
        timers: timers that wait.
        ready: callbacks that wait for the next turn.
        files: files watched by add_reader() and add_writer(), as asyncio's own listening sockets
            are; the loop's own is not counted.
        sockets: connected sockets that are served in C: those of asyncio's stream transports, and
            those that extension modules have opened through the C API.
        listeners: listening sockets that are served in C.
        transports: asyncio transports with a file of their own: streams, datagrams, pipes.
        busy: + seconds spent in turns, as `lag` measures them.
        asleep: + seconds spent waiting for something to happen, while running.
        turn: seconds that the present turn has taken so far; 0 while the loop sleeps. Above some
            tenths, seen from another thread, it is stuck.
        lag: + the lengths of turns.
    """

    running: bool
    turns: int
    callbacks: int
    timers_fired: int
    timers: int
    ready: int
    files: int
    sockets: int
    listeners: int
    transports: int
    busy: float
    asleep: float
    turn: float
    lag: Lag

    @property
    def utilization(self) -> float:
        """The part of its running time that the loop was busy, from 0 to 1; 0 if it never ran."""
        ran = self.busy + self.asleep
        return self.busy / ran if ran else 0.0


def read(
    counts: tuple[
        int,
        int,
        int,
        int,
        int,
        int,
        int,
        int,
        int,
        int,
        int,
        int,
        int,
        tuple[int, ...],
        tuple[int, ...],
    ],
    running: bool,
    own_files: int,
) -> Stats:
    """Core._stats() under names."""
    (
        turns,
        callbacks,
        fired,
        timers,
        ready,
        files,
        sockets,
        listeners,
        transports,
        busy,
        ran,
        longest,
        present,
        bounds,
        lags,
    ) = counts
    return Stats(
        running=running,
        turns=turns,
        callbacks=callbacks,
        timers_fired=fired,
        timers=timers,
        ready=ready,
        files=max(files - own_files, 0),
        sockets=sockets,
        listeners=listeners,
        transports=transports,
        busy=(busy + present) / 1000,
        asleep=max(ran - busy - present, 0) / 1000,
        turn=present / 1000,
        lag=Lag(bounds, lags, longest, busy),
    )
