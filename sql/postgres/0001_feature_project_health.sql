-- feature_project_health: how each project did, as it was known at every moment.
-- A row when a value changes and one a day; a correction is a new row. Written by the history writer alone.
CREATE TABLE feature_project_health (
    entity            text        NOT NULL,               -- project, <tenant>/<name>
    event_timestamp   timestamptz NOT NULL,               -- as of: arrival of what caused the value
    created_timestamp timestamptz NOT NULL DEFAULT now(), -- when it was written; in no comparison
    failure_rate_24h  double precision,                   -- failing runs / runs; null: no run in the window
    failure_rate_7d   double precision,                   -- failing runs / runs; null: no run in the window
    failure_velocity  jsonb,                              -- runs, failing and error runs, last and current minute
    model_version     integer     NOT NULL,
    PRIMARY KEY (entity, event_timestamp)
);

CREATE INDEX feature_project_health_time ON feature_project_health (event_timestamp);
