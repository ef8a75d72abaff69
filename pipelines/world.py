"""What a simulation is told, and what is wrong in it: parameters with units, and the kinds of incidents."""

from dataclasses import dataclass


@dataclass(frozen=True)
class World:
    """What is simulated. Ratios are probabilities in [0, 1]."""

    seed: int = 1
    projects: int = 8
    hours: float = 24
    start_ms: int = 1_767_571_200_000  # Monday 2026-01-05, 00:00 UTC
    runs_per_hour: float = 12  # of a project of mean size on a weekday, averaged over the day
    size_spread: float = 0.7  # standard deviation of the logarithm of a project's load
    day_swing: float = 0.8  # how far the load goes above and below its mean in a day: peak at 14:00 UTC
    weekend_share: float = 0.25  # load of Saturday and Sunday over that of a weekday
    matrix_jobs_max: int = 10  # test jobs of a run, 1 to this many
    bad_change_ratio: float = 0.06  # runs whose change breaks some of their jobs
    cancelled_ratio: float = 0.01  # jobs
    timeout_ratio: float = 0.003  # jobs
    error_ratio: float = 0.002  # jobs that die of the infrastructure outside outages
    retry_ratio: float = 0.5  # failed, timed out or dead jobs that are tried again, up to the third attempt
    flaky_tests_per_project: float = 2  # mean; each makes its job fail now and then
    flake_rate_max: float = 0.15  # failures per execution of a flaky test, 0.01 to this
    regressions_per_day: float = 0.5  # of a project of mean size
    regression_hours: float = 3  # mean until it is mended
    outages_per_day: float = 0.5  # of the infrastructure all projects share
    outage_minutes: float = 25  # mean
    outage_error_ratio: float = 0.6  # jobs that end in an outage and die of it
    bursts_per_day: float = 1  # of a project: bots push many changes at once
    burst_factor: float = 8  # load in a burst over that without
    burst_minutes: float = 20  # mean
    delay_ms: float = 1_500  # mean of an ordinary delivery: neighbours overtake one another
    late_ratio: float = 0.01  # deliveries that take 1 minute to just under 24 h
    too_late_ratio: float = 0.001  # deliveries that take 24 to 72 h
    duplicate_ratio: float = 0.01  # deliveries that come once more


@dataclass(frozen=True)
class Window:
    """A time in which something is so: epoch ms, the end excluded."""

    begins_ms: int
    ends_ms: int

    def holds(self, at_ms: int) -> bool:
        """Whether the instant lies in it."""
        return self.begins_ms <= at_ms < self.ends_ms


@dataclass(frozen=True)
class FlakyTest:
    """A test that fails without a cause in the code, `flake_rate` failures per execution."""

    project: str
    job: str
    test: str
    flake_rate: float


@dataclass(frozen=True)
class Regression:
    """A change that breaks a job in every run that begins in the window; `commit` is the first such run's."""

    project: str
    job: str
    commit: str
    window: Window


@dataclass(frozen=True)
class Outage:
    """The infrastructure of all projects fails."""

    window: Window


@dataclass(frozen=True)
class Burst:
    """One project gets many runs at once."""

    project: str
    window: Window


Incident = FlakyTest | Regression | Outage | Burst

KINDS: dict[type[Incident], str] = {
    FlakyTest: "flaky-test",
    Regression: "regression",
    Outage: "outage",
    Burst: "burst",
}
