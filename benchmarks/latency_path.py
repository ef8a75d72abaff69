"""Which reading shows the effect of which run: each project's rates are known beforehand, one after another."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass
class Sent:
    """One run: what the rate is once it counts, and when it was due, sent and acknowledged (monotonic ns)."""

    project: str
    rate: float
    due_ns: int
    sent_ns: int
    acknowledged_ns: int = 0
    readable_ns: int = 0


@dataclass
class Tally:
    """Runs of one project so far. The first fails and the second does not: from then on every run moves the rate."""

    runs: int = 0
    failing: int = 0
    sent: list[Sent] = field(default_factory=list)

    def next_fails(self, chance: float) -> bool:
        """Whether the next run is a failing one, `chance` being a random number in [0, 1)."""
        return self.runs == 0 or (self.runs > 1 and chance < FAILING_SHARE)

    def count(self, fails: bool) -> float:
        """Count a run in; the failure rate after it."""
        self.runs, self.failing = self.runs + 1, self.failing + fails
        return self.failing / self.runs


FAILING_SHARE = 0.1


def match(sent: Sequence[Sent], readings: Iterable[tuple[int, float]]) -> int:
    """Set `readable_ns` of one project's runs by its readings (monotonic ns, rate), both in their order.

    A rate shows the run that made it and all before it. Returns how many readings show a rate that never was.
    """
    strange = reached = 0
    for at_ns, rate in readings:
        if reached and sent[reached - 1].rate == rate:
            continue  # read again; no two runs in a row have the same rate
        found = next((at for at in range(reached, len(sent)) if sent[at].rate == rate), None)
        if found is None:
            strange += 1
            continue
        for one in sent[reached : found + 1]:
            one.readable_ns = at_ns
        reached = found + 1
    return strange
