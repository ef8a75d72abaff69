"""What a caller sees: his own projects, through a feed, as of now."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from msgspec import Struct

from contracts.errors import Unavailable
from contracts.insights import FeedbackLabel, Insight
from contracts.topics import DAY_MS, FEEDBACK_LABELS, Message, message
from gateway.callers import Caller
from gateway.insights.feedback import Spoken, label
from gateway.insights.feeds import FEEDS, Feed, Feedback, Incident, Said, incidents, passing, said
from gateway.insights.kept import Arrived, Kept, Look, tenant_of
from gateway.insights.streams import Event, Streams, framed

SOURCE = "/argus/gateway"
SIDE_BY_SIDE_MS = 10_000
"""Insights of two partitions that the broker took within this may be read in either order."""


class Story(Struct, frozen=True, kw_only=True):
    """All that was told of one incident, the oldest first, and what people say to it."""

    insights: list[Insight]
    feedback: Feedback


class Insights:
    """Insights and feedback of one namespace. Its methods take milliseconds, or wait for the broker: call them outside
    the event loop. `hand_in` raises Unavailable as Door.hand_in does."""

    def __init__(
        self,
        kept: Kept,
        streams: Streams,
        *,
        hand_in: Callable[[Iterable[Message]], int],
        namespace: str,
        pages_per_day: int,
        now_ms: Callable[[], int],
    ) -> None:
        self._kept, self.streams, self._hand_in = kept, streams, hand_in
        self._namespace, self._pages_per_day, self.now_ms = namespace, pages_per_day, now_ms

    def check(self) -> None:
        """Raises Unavailable until the log was read to its end."""
        if not self._kept.is_whole:
            raise Unavailable("insights are still being read from the log")

    def incidents(self, caller: Caller, project: str | None, feed: Feed) -> list[Incident]:
        """The newest state of each incident that a feed has, the newest first."""
        found: list[Incident] = []
        for look, told in self._looks(caller, project):
            found += incidents(_of(project, self._passing(look, told, feed)), told)
        return sorted(found, key=lambda one: (one.at_ms, one.insight), reverse=True)

    def story(self, caller: Caller, subject: str) -> Story | None:
        """All of one incident; None where there is none that is his."""
        for look, told in self._looks(caller, None):
            if found := [one.insight for one in look.arrived if one.insight.subject == subject]:
                own = [one for one in found if one.project == found[0].project]
                return Story(insights=own, feedback=told.feedback(own[-1]))
        return None

    def missed(self, caller: Caller, project: str | None, feed: Feed, last: str | None) -> tuple[list[Insight], int]:
        """What came after the insight `last`, and the number of the newest there is; nothing without `last`.

        What of another partition came a little before it may be among it: the broker takes them in side by side. If
        `last` is not known, all of the last 24 hours.
        """
        if last is None:
            return [], 0
        looks = self._looks(caller, project)
        known = next((one for look, _ in looks for one in look.arrived if one.insight.insight == last), None)
        since_ms = self.now_ms() - DAY_MS
        found = [
            one
            for look, told in looks
            for one in _of(project, self._passing(look, told, feed))
            if (one.arrived_ms >= since_ms if known is None else _after(one, known))
        ]
        found.sort(key=Arrived.place)
        return [one.insight for one in found], min((look.newest for look, _ in looks), default=0)

    def publish(self, new: list[Arrived]) -> None:
        """Send what has come to those who look on."""
        events: list[Event] = []
        for tenant, came in groupby(sorted(new, key=_tenant), key=_tenant):
            if self.streams.watched(tenant):
                look = self._kept.look(tenant)
                events += self._events(tenant, list(came), look, said(look.labels, self.now_ms()))
        if events:
            self.streams.publish(sorted(events, key=lambda event: event.number))

    def say(self, caller: Caller, told: Spoken, *, project: str, subject: str) -> FeedbackLabel:
        """The label, once the broker has it. Raises BadRecord, and Unavailable as `hand_in` does."""
        made = label(told, project=project, subject=subject, actor=caller.name, now_ms=self.now_ms())
        self._hand_in([message(FEEDBACK_LABELS, made, namespace=self._namespace, source=SOURCE)])
        return made

    def _events(self, tenant: str, came: list[Arrived], look: Look, told: Said) -> list[Event]:
        feeds = {feed: {one.number for one in self._passing(look, told, feed)} for feed in FEEDS}
        return [
            Event(
                tenant, one.insight.project, one.number,
                frozenset(feed for feed, numbers in feeds.items() if one.number in numbers), framed(one.insight),
            )
            for one in came
        ]  # fmt: skip

    def _looks(self, caller: Caller, project: str | None) -> list[tuple[Look, Said]]:
        """At each tenant whose insights he may see, or at the project's."""
        if project is not None:
            tenants = [tenant_of(project)] if caller.owns(project) else []
        else:
            tenants = self._kept.tenants() if caller.tenant is None else [caller.tenant]
        now_ms = self.now_ms()
        return [(look, said(look.labels, now_ms)) for look in map(self._kept.look, tenants)]

    def _passing(self, look: Look, told: Said, feed: Feed) -> list[Arrived]:
        return passing(look.arrived, told, feed, self._pages_per_day)


def _of(project: str | None, arrived: Sequence[Arrived]) -> Sequence[Arrived]:
    return arrived if project is None else [one for one in arrived if one.insight.project == project]


def _tenant(one: Arrived) -> str:
    return tenant_of(one.insight.project)


def _after(one: Arrived, known: Arrived) -> bool:
    if one.partition == known.partition:
        return one.offset > known.offset
    return one.arrived_ms > known.arrived_ms - SIDE_BY_SIDE_MS
