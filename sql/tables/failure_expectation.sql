-- failure_expectation: argus.metrics.failure-expectation, compacted; one record per project, as JSON of the fold's.
CREATE TABLE failure_expectation (
    entity STRING,               -- the message's key: project
    record STRING                -- the message's value
) WITH (
    'connector' = 'kafka',
    'topic' = '${failure_expectation_topic}',
    'properties.bootstrap.servers' = '${kafka}',
    'properties.acks' = 'all',
    'properties.linger.ms' = '0',
    'key.format' = 'raw',
    'key.fields' = 'entity',
    'value.format' = 'raw',
    'value.fields-include' = 'EXCEPT_KEY'
)
