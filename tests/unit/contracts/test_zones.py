"""By whose hours a project lives: its own zone, its tenant's, the default."""

import pytest

from contracts.zones import zone_of

ZONES = {"acme": "Asia/Tokyo", "acme/web": "Europe/Berlin", "app": "America/Lima"}


@pytest.mark.parametrize(
    ("project", "zone"),
    [
        ("acme/web", "Europe/Berlin"),
        ("acme/web/sub", "Asia/Tokyo"),
        ("acme/app", "Asia/Tokyo"),
        ("acme2/web", "UTC"),
        ("globex/acme", "UTC"),
    ],
)
def test_a_project_has_its_own_zone_or_its_tenants_or_the_default(project: str, zone: str) -> None:
    assert zone_of(project, "UTC", ZONES) == zone
