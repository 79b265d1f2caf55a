"""What happened when in a timed run: spans of every thread, exchanges, and the path that decided.

A span is a stretch in which the latest node of a class's thread ran one op's instructions, or
waited; a wait knows what ended it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

RUN, WAIT, EXCHANGE = "run", "wait", "exchange"
Cause = tuple[str, int, int, float]  # (EXCHANGE, number, 0, 0) or (RUN, class, thread, time)
STEPS = 100_000  # steps after which a path is cut off


@dataclass
class Span:
    """From `start` to `end`, in cycles, of a thread of a class; mark: the op it belongs to."""

    cls: int
    thread: int
    kind: str
    mark: int
    start: float
    end: float
    cause: Cause | None = None


@dataclass
class Exchange:
    """One start of a transfer list by nodes of a class. bounds: cycles by term (fair_flows.py).
    calibration: the rows of calibration.toml that say how far its cycles may be off (band.py)."""

    number: int
    kind: str
    cls: int
    thread: int
    mark: int
    nodes: int
    flows: int
    bytes: int
    bounds: dict[str, float]
    start: float
    end: float
    calibration: str = "paced"

    @property
    def cycles(self) -> float:
        return self.end - self.start

    @property
    def bound(self) -> float:
        return max(self.bounds.values(), default=0.0)


@dataclass(frozen=True)
class Step:
    """A piece of the critical path: an op's instructions, or an exchange it waited for."""

    kind: str
    mark: int
    start: float
    end: float
    exchange: int = -1


@dataclass
class Record:
    """All spans by (class, thread) in the order of time, and all exchanges."""

    spans: dict[tuple[int, int], list[Span]] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)

    def add(self, span: Span) -> None:
        """Note a span; one that goes on where the last of its thread ended is joined to it."""
        if span.end <= span.start:
            return
        spans = self.spans.setdefault((span.cls, span.thread), [])
        last = spans[-1] if spans else None
        if last and (last.kind, last.mark) == (RUN, span.mark) and span.kind == RUN:
            last.end = span.end
        else:
            spans.append(span)

    def path(self) -> list[Step]:
        """From the end of the run back to its start: who did last what the next step needed."""
        ends = {key: spans[-1].end for key, spans in self.spans.items() if spans}
        if not ends:
            return []
        place = max(sorted(ends), key=ends.__getitem__)
        time = ends[place]
        steps: list[Step] = []
        late = max(self.exchanges, key=lambda item: item.end, default=None)
        if late is not None and late.end > time:
            time, place = self._follow(self.exchanges.index(late), late.end, steps)
        starts = {key: [span.start for span in spans] for key, spans in self.spans.items()}
        while len(steps) < STEPS:
            index = bisect_right(starts.get(place, []), time - 1e-9) - 1
            if index < 0:
                break
            span = self.spans[place][index]
            if span.kind == RUN or span.cause is None:
                steps.append(Step(span.kind, span.mark, span.start, min(span.end, time)))
                time = span.start
                continue
            kind, first, second, when = span.cause
            if kind == EXCHANGE:
                time, place = self._follow(first, min(span.end, time), steps)
            else:
                # Two threads that wait for each other's posts at one time must not go round.
                when = min(when, span.end, time - 1e-6)
                steps.append(Step(WAIT, span.mark, when, min(span.end, time)))
                time, place = when, (first, second)
        return steps[::-1]

    def _follow(self, number: int, end: float, steps: list[Step]) -> tuple[float, tuple[int, int]]:
        """Go back over an exchange to the thread that started it."""
        exchange = self.exchanges[number]
        start = min(exchange.start, end)
        steps.append(Step(EXCHANGE, exchange.mark, start, end, number))
        return start, (exchange.cls, exchange.thread)
