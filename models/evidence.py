"""What do the runs that failed have in common?

Of each failing run that is known the execution that showed it first is kept, as long as an incident lasts or might
begin with it. Shares are those of the runs that are kept.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from contracts.insights import LONGEST_SHOWN, Evidence, Part, Series, WindowScore
from contracts.records import JobExecution

VERSION = 1
MOST_KEPT, MOST_PARTS, MOST_EXAMPLES = 50, 3, 3


class Failure(Struct, frozen=True, array_like=True):
    """One failing run, at the `minute` (since the epoch) in which it counts; what is not known of it is null."""

    minute: int
    run: str
    job: str | None = None
    branch: str | None = None
    environment: str | None = None
    commit: str | None = None


def failure(minute: int, run: str, execution: JobExecution | None) -> Failure:
    """What is kept of the execution that showed a run to fail; null where its body could not be read."""
    if execution is None:
        return Failure(minute, _cut(run))
    said = (execution.job, execution.branch, execution.environment, execution.commit)
    return Failure(minute, _cut(run), *(one and _cut(one) for one in said))


def _cut(text: str) -> str:
    """So many bytes, for that is what a state has to hold."""
    return text.encode(errors="replace")[:LONGEST_SHOWN].decode(errors="ignore")


def kept(failures: Sequence[Failure], since: int) -> list[Failure]:
    """Those from the minute `since` on; of more than are kept the newest, and the very first."""
    found = [one for one in failures if one.minute >= since]
    return found if len(found) <= MOST_KEPT else [found[0], *found[1 - MOST_KEPT :]]


def evidence(failures: Sequence[Failure]) -> Evidence:
    """The most frequent jobs, branches and environments with their shares, the range of commits, and some runs."""
    commits = [one.commit for one in failures if one.commit]
    return Evidence(
        runs=len(failures),
        jobs=_parts((one.job for one in failures), len(failures)),
        branches=_parts((one.branch for one in failures), len(failures)),
        environments=_parts((one.environment for one in failures), len(failures)),
        commits=len(set(commits)),
        first_commit=commits[0] if commits else None,
        last_commit=commits[-1] if commits else None,
        examples=[one.run for one in failures[-MOST_EXAMPLES:]],
    )


def title(series: Series, window: WindowScore | None, runs: int, minutes: int, found: Evidence) -> str:
    """One sentence for people.

    >>> said = Evidence(runs=9, jobs=[Part("unit", 8, 0.8889)], branches=[Part("main", 9, 1.0)])
    >>> title("failing", WindowScore(15, 9, 1.25, 7.2, 1e-6), 9, 0, said)
    '9 runs failed in 15 min, 1.2 expected: 8 of 9 in job unit, 9 of 9 on branch main'
    >>> title("error", None, 1, 47, said)
    'over after 47 min: 1 run met the infrastructure'
    """
    what = "failed" if series == "failing" else "met the infrastructure"
    if window is None:
        return f"over after {minutes} min: {runs} {'run' if runs == 1 else 'runs'} {what}"
    said = [
        f"{part.runs} of {found.runs} {where} {part.value}"
        for where, parts in (("in job", found.jobs), ("on branch", found.branches), ("in", found.environments))
        for part in parts[:1]
        if part.share > 1 / 2
    ]
    told = f"{window.observed} runs {what} in {window.minutes} min, {window.expected:.2g} expected"
    return told + (f": {', '.join(said)}" if said else "")


def _parts(values: Iterable[str | None], runs: int) -> list[Part]:
    frequent = Counter(value for value in values if value).most_common(MOST_PARTS)
    return [Part(value, count, round(count / runs, 4)) for value, count in frequent]
