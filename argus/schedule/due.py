"""When a daily job is due: plain arithmetic over what is known of its runs."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta

RETRIES = 3
RETRY_AFTER = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Past:
    """What is known of a job's runs; instants are those at which runs began.

    `since` is when the job was first heard of, `failures` counts the runs since the last that came to its end.
    """

    since: datetime
    completed: datetime | None = None
    tried: datetime | None = None
    failures: int = 0


def at_time(told: str) -> time:
    """The time of the day (UTC) of a setting.

    >>> at_time("02:30")
    datetime.time(2, 30)
    """
    hour, _, minute = told.partition(":")
    return time(int(hour), int(minute))


def last_night(at: time, now: datetime) -> datetime:
    """The latest instant, not after `now`, at which a job of that time should have begun."""
    today = datetime.combine(now.date(), at, now.tzinfo)
    return today if today <= now else today - DAY


def is_due(at: time, past: Past, now: datetime) -> bool:
    """Whether a run is to begin now: the last night's, missed or not, and up to three more an hour apart if it fails.

    Nights before that one are not made up for, nor those before the job was first heard of.
    """
    night = last_night(at, now)
    if past.since > night or (past.completed is not None and past.completed >= night):
        return False
    if past.tried is None or past.tried < night:
        return True
    return past.failures <= RETRIES and now - past.tried >= RETRY_AFTER
