-- insights: argus.insights.generated, kept for 30 days; what is read twice comes twice with the same bytes.
CREATE TABLE insights (
    entity STRING,               -- the message's key: project
    record STRING                -- the message's value
) WITH (
    'connector' = 'kafka',
    'topic' = '${insights_topic}',
    'properties.bootstrap.servers' = '${kafka}',
    'properties.acks' = 'all',
    'properties.linger.ms' = '0',
    'key.format' = 'raw',
    'key.fields' = 'entity',
    'value.format' = 'raw',
    'value.fields-include' = 'EXCEPT_KEY'
)
