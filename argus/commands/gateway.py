"""`argus gateway` and `argus tick`."""

SWITCH_S = 0.0005
"""Threads that wait for a store take turns with the event loop: at the usual 5 ms it would come late to everybody."""


def gateway() -> None:
    """Serve features over HTTP and tick, until stopped."""
    import sys
    import time

    from argus.process import started
    from contracts.settings import read_settings
    from gateway.processes import gateway as run

    sys.setswitchinterval(SWITCH_S)
    settings = read_settings()
    run(settings, started(settings.log_format), now_ms=lambda: time.time_ns() // 1_000_000)


def tick() -> None:
    """Send one tick a second to every partition of the input topics, until stopped."""
    from argus.process import started
    from contracts.settings import read_settings
    from gateway.processes import tick as run

    settings = read_settings()
    run(settings, started(settings.log_format))
