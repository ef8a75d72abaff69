-- feature_failure_expectation: what failed of late in each project beside what its hour explained, at every moment of
-- decision. Written by the history writer alone.
CREATE TABLE feature_failure_expectation (
    entity              text        NOT NULL,               -- project, <tenant>/<name>
    event_timestamp     timestamptz NOT NULL,               -- as of: the instant of the project's clock
    created_timestamp   timestamptz NOT NULL DEFAULT now(), -- when it was written; in no comparison
    failure_expectation jsonb,                              -- both series: windows, severity, open incident
    model_version       integer     NOT NULL,
    PRIMARY KEY (entity, event_timestamp)
);

CREATE INDEX feature_failure_expectation_time ON feature_failure_expectation (event_timestamp);
