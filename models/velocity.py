"""Do failures come faster than this project explains at this hour?

A series counts distinct failing runs by minute (runs that met the infrastructure are a series of their own). What a
minute is expected to bring is a base by local hour of the week, learned over weeks, times a level that follows the last
hours. The last 1, 5 and 15 minutes are held against it: p is the chance of as many or more under a negative binomial,
where many runs of one minute, which are often one push, are evidence for few.

Nothing has learned from a minute that is judged by it: a minute's expectation is fixed before it begins, it is scored,
then it teaches. A window counts the minute that is under way as far as it has come and expects it whole, so that p only
falls while a minute lasts, and what fires within a minute is what fires at its end.

Gamma-Poisson shrinkage and a negative binomial tail are those of the surveillance of infections (after Farrington),
made recursive. Where the constants come from: docs/evaluation.md.
"""

from typing import Any

import numpy as np
from msgspec import Struct, field, structs

from contracts.insights import Severity
from models.hours import CELLS, hour

VERSION = 1
WINDOWS = (1, 5, 15)  # minutes
SPAN = max(WINDOWS)
WEEK_KEPT = 0.84  # of an hour's memory when its week comes round: half of it is four weeks old
HOUR_WEIGHT = 60.0  # minutes that the project's mean is worth beside an hour's own
PROJECT_WEIGHT = 240.0  # minutes that the fleet's rate is worth beside a project's own
LEVEL_KEPT = 2 ** (-1 / 120)  # a minute: half of the level is two hours old
LEVEL_WEIGHT = 3 / 120  # failing runs a minute that a level of 1 is worth
LEVEL_LEAST, LEVEL_MOST = 0.25, 4.0
SHAPE = 10  # of the negative binomial
OVERDISPERSION = 1 / SHAPE  # variance beyond Poisson, as a share of the squared mean
MINUTE_LEAST, MINUTE_TIMES = 2.0, 4.0  # a minute is evidence for so many runs, and so many times what was expected
FORGOTTEN_MIN = 10 * 7 * 1440  # a series silent for longer begins anew

Numbers = Any
"""A float or an array of them: every formula here takes both, element by element."""


class Fleet(Struct, frozen=True):
    """What is believed of a project before it is known: failing runs a minute, and each hour's share (mean 1)."""

    rate: float = 0.01
    profile: tuple[float, ...] = (1.0,) * CELLS


class Velocity(Struct):
    """All that is remembered of one series. `minute` (since the epoch) is the one under way, the last of `counts`.

    `sums` and `minutes` are what each hour of the week has taught, `base` is the rate of this one, fixed when it began;
    `observed` and `explained` are the level's moving averages. `opened` and `fired` are the first and the last minute
    that fired in the incident that is open. `late` are those of `counts` that came too late to raise anything.
    """

    began: int
    minute: int
    cell: int
    base: float
    counts: list[int]
    expected: list[float]
    sums: list[float]
    minutes: list[float]
    observed: float = 0.0
    explained: float = 0.0
    late: list[int] = field(default_factory=lambda: [0] * SPAN)
    opened: int | None = None
    fired: int | None = None
    model_version: int = VERSION


class Window(Struct, frozen=True):
    """One window of `minutes`: failing runs seen and expected, their ratio, and P(as much evidence or more).

    `evidence` is what is left of the runs seen when no minute counts for more than it may; it is what is judged.
    """

    minutes: int
    observed: int
    expected: float
    evidence: float
    ratio: float
    p: float


class Rule(Struct, frozen=True):
    """When a window fires: all of p, count and ratio. `settled_min`: a series that is younger is silent.

    From `busy` expected a window on, a series is smooth, its tail heavier than a negative binomial's: it needs
    `busy_alpha` and stays one incident for `busy_quiet_min`.
    """

    alpha: float = 1e-4
    least: int = 3
    ratio: float = 1.5
    quiet_min: int = 30
    settled_min: int = 120
    burst_min: int = 5
    taught_min: int = 1440
    busy: float = 30.0
    busy_alpha: float = 1e-7
    busy_quiet_min: int = 720


RULE = Rule()


class Gate(Struct, frozen=True):
    """What a window must show to be called severe: however rare three failures are, they are few."""

    p: float
    ratio: float
    least: int


SEVERE: dict[Severity, Gate] = {"critical": Gate(1e-7, 5, 6), "high": Gate(1e-4, 3, 4)}


def _lesser(one: Numbers, other: Numbers) -> Numbers:
    """The lesser of two, element by element; numpy takes ten times as long for a number that stands alone."""
    return np.minimum(one, other) if isinstance(other, np.ndarray) or isinstance(one, np.ndarray) else min(one, other)


def _greater(one: Numbers, other: Numbers) -> Numbers:
    return -_lesser(-one, -other)


def hourly_rate(sums: Numbers, minutes: Numbers, project_rate: Numbers) -> Numbers:
    """The rate of an hour of the week (failing runs a minute), shrunk toward the project's at that hour."""
    return (sums + HOUR_WEIGHT * project_rate) / (minutes + HOUR_WEIGHT)


def project_mean(sums: Numbers, minutes: Numbers, fleet_rate: float) -> Numbers:
    """The rate of a project over all hours, from what its hours were taught in all, shrunk toward the fleet's."""
    return (sums + PROJECT_WEIGHT * fleet_rate) / (minutes + PROJECT_WEIGHT)


def level(observed: Numbers, explained: Numbers) -> Numbers:
    """How many times as busy the last hours were as their base explains."""
    return _lesser(_greater((observed + LEVEL_WEIGHT) / (explained + LEVEL_WEIGHT), LEVEL_LEAST), LEVEL_MOST)


def taught(count: Numbers, expected: Numbers, frozen: Numbers) -> Numbers:
    """What a minute teaches: its count without the top of an outlier, and no more than was expected where frozen."""
    most = expected + 4 * (3 * expected + OVERDISPERSION * expected**2) ** 0.5 + 3
    return _lesser(count, frozen * expected + (1 - frozen) * most)


def frozen(age_min: Numbers, rule: Rule = RULE) -> tuple[Numbers, Numbers]:
    """Whether a minute that fires is kept from teaching the level, and the hour, by the age of its incident.

    The hour learns a burst of some minutes, so that one of every night is known after some weeks, and little of an
    incident. What lasts longer than a day is how it is now, and teaches both.
    """
    lasting = age_min < rule.taught_min
    return lasting, lasting & (age_min >= rule.burst_min)


def tail(observed: Numbers, expected: Numbers) -> Numbers:
    """P(as many or more) under a negative binomial of variance `expected + .1 expected^2`; 1 where nothing was seen.

    That is the regularised incomplete beta function I_x(observed, 10): a sum of ten terms, none of them negative, from
    I_x(a, 1) = x^a on (DLMF 8.17.21).

    >>> round(float(tail(3, 0.15)), 5)
    0.00064
    """
    x = expected / (SHAPE + expected)
    term = total = x**observed
    for k in range(SHAPE - 1):
        term = term * (1 - x) * (observed + k) / (k + 1)
        total = total + term
    return _lesser(total, 1.0)


def kept(memory: float) -> float:
    """What is remembered of an hour once it is over: as many digits as matter, so that a state stays small."""
    return float(f"{memory:.7g}")


def evidence(count: Numbers, expected: Numbers) -> Numbers:
    """What a minute's runs count for in a window: runs that fail together are often one push, merge or broken commit.

    >>> [float(evidence(runs, 0.01)) for runs in (1, 2, 8)]
    [1.0, 2.0, 2.04]
    """
    return _lesser(count, MINUTE_LEAST + MINUTE_TIMES * expected)


def fires(proof: Numbers, expected: Numbers, p: Numbers, rule: Rule = RULE) -> Numbers:
    """Whether windows fire, by all gates of the rule; `proof` is the sum of the minutes' evidence."""
    is_busy = expected >= rule.busy
    alpha = is_busy * min(rule.busy_alpha, rule.alpha) + (1 - is_busy) * rule.alpha
    return (p < alpha) & (proof >= rule.least) & (proof >= rule.ratio * expected)


def window_fires(window: Window, rule: Rule = RULE) -> bool:
    """Whether one window fires."""
    return bool(fires(window.evidence, window.expected, window.p, rule))


def severity(windows: tuple[Window, ...], rule: Rule = RULE) -> Severity | None:
    """`medium`, `high` or `critical`, by the worst of the windows that fire; null where none does.

    >>> severity((Window(15, 6, 1.0, 6.0, 6.0, 1e-5),))
    'high'
    """
    found = [window for window in windows if window_fires(window, rule)]
    if not found:
        return None
    for name, gate in SEVERE.items():
        if any(one.p < gate.p and one.ratio >= gate.ratio and one.evidence >= gate.least for one in found):
            return name
    return "medium"


def begin(minute: int, zone: str, fleet: Fleet) -> Velocity:
    """A series of which nothing is known, at this minute since the epoch."""
    cell, _ = hour(minute, zone)
    rate = fleet.rate * fleet.profile[cell]
    expected = rate * float(level(0.0, 0.0))
    blank = [0.0] * CELLS
    return Velocity(minute, minute, cell, rate, [0] * SPAN, [expected] * SPAN, blank, blank.copy())


def advance(state: Velocity, minute: int, zone: str, fleet: Fleet, rule: Rule = RULE) -> Velocity:
    """The series once time has passed to `minute`: every minute before it was judged and has taught.

    Of a silence all but its ends is passed by the hour, in closed form; a minute in the past changes nothing.
    """
    if minute - state.minute > FORGOTTEN_MIN:
        return begin(minute, zone, fleet)
    state = structs.replace(
        state,
        counts=state.counts.copy(), expected=state.expected.copy(),
        sums=state.sums.copy(), minutes=state.minutes.copy(), late=state.late.copy(),
    )  # fmt: skip
    while state.minute < minute:
        if any(state.counts) or minute - state.minute <= SPAN:
            _pass_minute(state, zone, fleet, rule)
        else:
            _pass_silence(state, minute - SPAN, zone, fleet)
    if state.fired is not None and state.minute > closes_at(state, rule):
        state.opened = state.fired = None
    return state


def count(
    state: Velocity, minute: int, runs: int, zone: str, fleet: Fleet, rule: Rule = RULE, *, is_news: bool = True
) -> Velocity:
    """The series with `runs` more (or, negative, fewer) failing in this minute.

    A minute that is over but still in a window is revised, and what it taught with it; one from before is left. What is
    no news is in the numbers, and raises nothing.
    """
    state = advance(state, minute, zone, fleet, rule)
    age = state.minute - minute
    if age >= SPAN:
        return state
    at = SPAN - 1 - age
    before, after = state.counts[at], max(0, state.counts[at] + runs)
    state.counts[at] = after
    if not is_news:
        state.late[at] += after - before
    if age:
        expected = state.expected[at]
        more = [
            float(taught(after, expected, kept)) - float(taught(before, expected, kept))
            for kept in _frozen(state, minute, rule)
        ]
        state.observed += (1 - LEVEL_KEPT) * LEVEL_KEPT ** (age - 1) * more[0]
        state.sums[hour(minute, zone)[0]] += more[1]
    return state


def score(state: Velocity) -> tuple[Window, ...]:
    """The windows that end with the minute under way."""
    return _windows(state.counts, state.expected)


def news(state: Velocity) -> tuple[Window, ...]:
    """The same of what did not come too late: what is judged."""
    if not any(state.late):
        return score(state)
    return _windows([runs - late for runs, late in zip(state.counts, state.late, strict=True)], state.expected)


def _windows(counts: list[int], expected: list[float]) -> tuple[Window, ...]:
    proofs = [float(evidence(runs, mean)) for runs, mean in zip(counts, expected, strict=True)]
    return tuple(_window(minutes, counts, expected, proofs) for minutes in WINDOWS)


def _window(minutes: int, counts: list[int], expected: list[float], proofs: list[float]) -> Window:
    runs, mean, proof = (sum(of[-minutes:]) for of in (counts, expected, proofs))
    return Window(minutes, int(runs), mean, proof, runs / mean, float(tail(proof, mean)))


def decide(state: Velocity, rule: Rule = RULE) -> Velocity:
    """The series with its incident opened or carried on, if the minute under way fires.

    A minute fires only by a run that failed in it, and asking again changes nothing.
    """
    if state.counts[-1] == state.late[-1] or state.minute - state.began < rule.settled_min:
        return state
    if severity(news(state), rule) is None:
        return state
    if state.fired is None or state.minute > closes_at(state, rule):
        return structs.replace(state, opened=state.minute, fired=state.minute)
    return structs.replace(state, fired=state.minute)


def closes_at(state: Velocity, rule: Rule = RULE) -> int:
    """The last minute of the incident that is open, if it stays quiet."""
    assert state.fired is not None
    return state.fired + (rule.busy_quiet_min if sum(state.expected) >= rule.busy else rule.quiet_min)


def _pass_minute(state: Velocity, zone: str, fleet: Fleet, rule: Rule) -> None:
    decided = decide(state, rule)
    state.opened, state.fired = decided.opened, decided.fired
    now, expected = state.counts[-1], state.expected[-1]
    recent, hourly = (float(taught(now, expected, kept)) for kept in _frozen(state, state.minute, rule))
    state.sums[state.cell] += hourly
    state.minutes[state.cell] += 1
    state.observed = LEVEL_KEPT * state.observed + (1 - LEVEL_KEPT) * recent
    state.explained = LEVEL_KEPT * state.explained + (1 - LEVEL_KEPT) * state.base
    state.minute += 1
    _enter(state, zone, fleet)
    state.counts, state.late = [*state.counts[1:], 0], [*state.late[1:], 0]
    state.expected = [*state.expected[1:], state.base * float(level(state.observed, state.explained))]


def _pass_silence(state: Velocity, to: int, zone: str, fleet: Fleet) -> None:
    """To the end of the hour, or to `to`; the minutes' expectations are not kept, and are `SPAN` behind when needed."""
    minutes = min(to - state.minute, hour(state.minute, zone)[1])
    kept = LEVEL_KEPT**minutes
    state.minutes[state.cell] += minutes
    state.observed *= kept
    state.explained = kept * state.explained + (1 - kept) * state.base
    state.minute += minutes
    _enter(state, zone, fleet)
    state.expected = [*state.expected[1:], state.base * float(level(state.observed, state.explained))]


def _enter(state: Velocity, zone: str, fleet: Fleet) -> None:
    """Take the rate of the hour in which the minute lies, when a new one begins; its memory fades by a week."""
    cell, _ = hour(state.minute, zone)
    if cell == state.cell:  # also the hour that a change of the clock repeats
        return
    state.sums[state.cell], state.minutes[state.cell] = kept(state.sums[state.cell]), kept(state.minutes[state.cell])
    state.cell = cell
    state.sums[cell] *= WEEK_KEPT
    state.minutes[cell] *= WEEK_KEPT
    mean = project_mean(sum(state.sums), sum(state.minutes), fleet.rate)
    state.base = float(hourly_rate(state.sums[cell], state.minutes[cell], mean * fleet.profile[cell]))


def _frozen(state: Velocity, minute: int, rule: Rule) -> tuple[bool, bool]:
    """Whether this minute is kept from teaching the level, and the hour."""
    if state.opened is None or state.fired != minute:
        return False, False
    level_frozen, hour_frozen = frozen(minute - state.opened, rule)
    return bool(level_frozen), bool(hour_frozen)
