-- runs: the topic argus.cicd.runs as it lies on the broker, ticks and broken rows included.
-- Bytes stay bytes: what a job needs travels in headers, and no body is parsed here.
-- Counting and dead letters share one plan of these columns (jobs/cluster.py), in which each header is looked up once a
-- row. Neither mentions the headers in a condition: whoever does copies the whole map, for every row.
CREATE TABLE runs (
    message_key BYTES,
    body BYTES,
    headers MAP<STRING, BYTES> NOT NULL METADATA FROM 'headers' VIRTUAL,
    stamped TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
    origin_partition INT METADATA FROM 'partition' VIRTUAL,
    origin_offset BIGINT METADATA FROM 'offset' VIRTUAL,
    project AS CAST(message_key AS STRING),
    -- a name without U+001F, which would end it within a key, and without a byte that is not UTF-8
    named AS CHAR_LENGTH(CAST(message_key AS STRING)) <= 255
        AND REGEXP(CAST(message_key AS STRING), '${project_pattern}'),
    run AS CAST(headers['run'] AS STRING),
    attempt AS headers['attempt'],
    outcome AS CASE headers['outcome'] ${outcomes} END,  -- compared as bytes, the likely ones first; null for others
    event_ms AS TRY_CAST(CAST(headers['event_ms'] AS STRING) AS BIGINT),
    -- a tick has no key; where there is one, nothing is looked up
    tick AS COALESCE(message_key IS NULL AND headers['ce_type'] = ${tick_type}, FALSE),
    arrived_s AS ${arrived_s},
    arrival AS ${arrival}
    ${watermark}
) WITH (
    'connector' = 'kafka',
    'topic' = '${runs_topic}',
    'properties.bootstrap.servers' = '${kafka}',
    'properties.group.id' = '${group}',
    'properties.auto.offset.reset' = 'earliest',
    'scan.startup.mode' = 'group-offsets',
    'scan.topic-partition-discovery.interval' = '30 s',
    'key.format' = 'raw',
    'key.fields' = 'message_key',
    'value.format' = 'raw',
    'value.fields-include' = 'EXCEPT_KEY'
)
