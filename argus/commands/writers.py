"""`argus online-writer`, `history-writer`, `migrate`: from the topics of values to Valkey and Postgres."""


def online_writer() -> None:
    """Write the newest value of every entity into Valkey, until stopped."""
    import time

    from argus.process import started
    from contracts.settings import read_settings
    from feature_store.processes import online_writer as run

    settings = read_settings()
    run(settings, started(settings.log_format), now_ms=lambda: time.time_ns() // 1_000_000)


def history_writer() -> None:
    """Write what was known when into Postgres, until stopped."""
    from argus.process import started
    from contracts.settings import read_settings
    from feature_store.processes import history_writer as run

    settings = read_settings()
    run(settings, started(settings.log_format))


def migrate() -> None:
    """Bring the tables of this namespace up to date."""
    from contracts.settings import read_settings
    from feature_store.connections import schema_of
    from feature_store.migrate import migrate as run

    settings = read_settings()
    applied = run(settings.postgres.get_secret_value(), settings.namespace)
    print(f"schema {schema_of(settings.namespace)}: {', '.join(applied) or 'up to date'}")
