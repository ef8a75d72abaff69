-- dead_letters: argus.dead-letters, compacted; the key makes a row that is read twice one dead letter.
CREATE TABLE dead_letters (
    entity STRING,               -- the message's key: topic:partition:offset, U+001F, reader
    reader STRING,
    reason STRING,
    topic STRING,
    `partition` INT,
    `offset` BIGINT,
    key BYTES,
    headers MAP<STRING, BYTES> NOT NULL,
    `value` BYTES
) WITH (
    'connector' = 'kafka',
    'topic' = '${dead_letters_topic}',
    'properties.bootstrap.servers' = '${kafka}',
    'properties.acks' = 'all',
    'properties.max.request.size' = '${dead_letters_max_bytes}',
    'key.format' = 'raw',
    'key.fields' = 'entity',
    'value.format' = 'json',
    'value.fields-include' = 'EXCEPT_KEY'
)
