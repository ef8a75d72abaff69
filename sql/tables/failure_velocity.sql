-- failure_velocity: argus.metrics.failure-velocity, compacted; a minute that falls to nothing has three zeros.
CREATE TABLE failure_velocity (
    project STRING,
    minute_ms BIGINT,
    runs BIGINT,
    failing_runs BIGINT,
    error_runs BIGINT,
    PRIMARY KEY (project, minute_ms) NOT ENFORCED
) WITH (
    'connector' = 'upsert-kafka',
    'topic' = '${failure_velocity_topic}',
    'properties.bootstrap.servers' = '${kafka}',
    'properties.acks' = 'all',
    'properties.linger.ms' = '5',
    'key.format' = 'csv',                              -- project, U+001F, minute_ms
    'key.csv.field-delimiter' = U&'\001F',
    'key.csv.disable-quote-character' = 'true',
    'value.format' = 'json',
    'value.fields-include' = 'ALL'
)
