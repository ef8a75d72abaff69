"""By whose hours a project lives."""

from collections.abc import Mapping


def zone_of(project: str, default: str, zones: Mapping[str, str]) -> str:
    """The time zone (IANA name) of `<tenant>/<name>`: its own in `zones`, else its tenant's, else the default.

    >>> zones = {"acme": "Asia/Tokyo", "acme/web": "Europe/Berlin"}
    >>> [zone_of(project, "UTC", zones) for project in ("acme/web", "acme/app", "globex/app")]
    ['Europe/Berlin', 'Asia/Tokyo', 'UTC']
    """
    return zones.get(project) or zones.get(project.partition("/")[0], default)
