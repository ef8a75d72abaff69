"""Which insights a feed has: pure functions of insights, feedback and the time.

`project` has every incident that is less likely than the project's alpha, `paging` those less likely by another factor
of ten, a few a day; `all` has whatever was noticed. Feedback calibrates a project: each word that an incident was not
useful, less those that one was, takes a factor of ten from its alpha. All is judged as of now: a mute or a lower alpha
takes effect on what came before as well, and gives its pages of the day back.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from contracts.insights import FeedbackLabel, Insight
from contracts.records import Count, EventTime, Identifier
from contracts.topics import DAY_MS
from gateway.insights.kept import Arrived

Feed = Literal["project", "paging", "all"]
FEEDS: tuple[Feed, ...] = ("project", "paging", "all")
ALPHA, LEAST_ALPHA = 4, 7
"""Negative powers of ten: without feedback, and after whatever feedback."""
PAGING = 1
"""Powers of ten by which an incident that pages somebody is less likely still."""
COUNTED_MS = 28 * DAY_MS
"""A word whether an incident was useful counts for so long."""

Subject = tuple[str, str]
"""Project, and the incident or once more the project."""


class Word(Struct, frozen=True, kw_only=True):
    """Who said it, when, and if he did until when and why."""

    actor: Identifier
    at_ms: EventTime
    until_ms: EventTime | None = None
    note: str | None = None


class Feedback(Struct, frozen=True, kw_only=True):
    """What people say to an incident: how many find it useful or not, who looks after it, who has muted it."""

    useful: Count
    not_useful: Count
    acknowledged: Word | None = None
    muted: Word | None = None


class Incident(Insight, frozen=True, kw_only=True):
    """The newest insight about an incident, with the feedback."""

    feedback: Feedback


class Said(Struct, frozen=True):
    """What the labels of a tenant come to; `verdicts` has each actor's newest, `net` only what counts."""

    verdicts: dict[Subject, Counter[str]]
    net: Counter[str]
    acknowledged: dict[Subject, FeedbackLabel]
    muted: dict[Subject, FeedbackLabel]

    def alpha(self, project: str, feed: Feed) -> float:
        """An incident in the feed is less likely than this."""
        return 10.0 ** -(min(LEAST_ALPHA, ALPHA + max(0, self.net[project])) + PAGING * (feed == "paging"))

    def mute(self, insight: Insight) -> FeedbackLabel | None:
        """What mutes it: a word about the incident, or about its project."""
        return self.muted.get((insight.project, insight.subject)) or self.muted.get((insight.project, insight.project))

    def feedback(self, insight: Insight) -> Feedback:
        """What is said to the incident that it is about."""
        subject = (insight.project, insight.subject)
        verdicts = self.verdicts.get(subject, Counter())
        return Feedback(
            useful=verdicts["useful"],
            not_useful=verdicts["not_useful"],
            acknowledged=_word(self.acknowledged.get(subject)),
            muted=_word(self.mute(insight)),
        )


def said(labels: Iterable[FeedbackLabel], now_ms: int) -> Said:
    """What they come to at `now_ms`; of one kind the newest holds."""
    verdicts: dict[tuple[Subject, str], FeedbackLabel] = {}
    muted: dict[Subject, FeedbackLabel] = {}
    acknowledged: dict[Subject, FeedbackLabel] = {}
    for label in sorted(labels, key=lambda label: label.at_ms):
        subject = (label.project, label.subject)
        if label.says in ("useful", "not_useful"):
            verdicts[subject, label.actor] = label
        elif label.says == "acknowledged":
            acknowledged[subject] = label
        else:
            muted[subject] = label
    told = Said({}, Counter(), acknowledged, {at: label for at, label in muted.items() if _mutes(label, now_ms)})
    for (subject, _), label in verdicts.items():
        told.verdicts.setdefault(subject, Counter())[label.says] += 1
        if label.at_ms > now_ms - COUNTED_MS:
            told.net[label.project] += 1 if label.says == "not_useful" else -1
    return told


def passing(arrived: Sequence[Arrived], told: Said, feed: Feed, pages_per_day: int) -> list[Arrived]:
    """The insights of one tenant, in the order in which they came, that a feed has."""
    if feed == "all":
        return list(arrived)
    shown = [
        one
        for one in arrived
        if one.insight.p < told.alpha(one.insight.project, feed) and told.mute(one.insight) is None
    ]
    return list(_paged(shown, pages_per_day)) if feed == "paging" else shown


def incidents(arrived: Iterable[Arrived], told: Said) -> list[Incident]:
    """The newest state of each incident."""
    newest = {(one.insight.project, one.insight.subject): one.insight for one in arrived}
    return [Incident(**msgspec.structs.asdict(one), feedback=told.feedback(one)) for one in newest.values()]


def _paged(shown: Iterable[Arrived], pages_per_day: int) -> Iterator[Arrived]:
    """The first of an incident is a page, of which a day has so many; what follows it passes. Its end pages nobody."""
    pages: Counter[int] = Counter()
    paged: set[Subject] = set()
    for one in shown:
        incident, day = (one.insight.project, one.insight.subject), one.insight.at_ms // DAY_MS
        if incident not in paged and one.insight.state != "resolved" and pages[day] < pages_per_day:
            pages[day] += 1
            paged.add(incident)
        if incident in paged:
            yield one


def _mutes(label: FeedbackLabel, now_ms: int) -> bool:
    return label.says == "muted" and (label.until_ms is None or now_ms < label.until_ms)


def _word(label: FeedbackLabel | None) -> Word | None:
    if label is None:
        return None
    return Word(actor=label.actor, at_ms=label.at_ms, until_ms=label.until_ms, note=label.note)
