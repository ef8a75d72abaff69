-- failure_velocity: argus.metrics.failure-velocity, compacted; a minute that falls to nothing has three zeros.
CREATE TABLE failure_velocity (
    entity STRING,               -- the message's key: project, U+001F, minute_ms
    project STRING,
    minute_ms BIGINT,
    runs BIGINT,
    failing_runs BIGINT,
    error_runs BIGINT,
    PRIMARY KEY (entity) NOT ENFORCED
) WITH (
    'connector' = 'upsert-kafka',
    'topic' = '${failure_velocity_topic}',
    'properties.bootstrap.servers' = '${kafka}',
    'properties.acks' = 'all',
    'properties.linger.ms' = '5',
    'key.format' = 'raw',
    'value.format' = 'json',
    'value.fields-include' = 'EXCEPT_KEY'
)
