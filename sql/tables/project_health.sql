-- project_health: argus.metrics.project-health, compacted; one record per project, as JSON that the fold has written.
CREATE TABLE project_health (
    entity STRING,               -- the message's key: project
    record STRING                -- the message's value
) WITH (
    'connector' = 'kafka',
    'topic' = '${project_health_topic}',
    'properties.bootstrap.servers' = '${kafka}',
    'properties.acks' = 'all',
    'properties.linger.ms' = '0',
    'key.format' = 'raw',
    'key.fields' = 'entity',
    'value.format' = 'raw',
    'value.fields-include' = 'EXCEPT_KEY'
)
