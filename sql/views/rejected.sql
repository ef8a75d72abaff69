-- rejected: what on argus.cicd.runs is neither countable nor a tick, with the first reason that applies.
CREATE VIEW rejected AS
SELECT
    '${runs_topic}:' || CAST(origin_partition AS STRING) || ':' || CAST(origin_offset AS STRING) AS origin,
    CASE
        WHEN project IS NULL THEN 'no-key'
        WHEN body IS NULL THEN 'tombstone'
        WHEN NOT named THEN 'key'
        WHEN run IS NULL THEN 'no-run'
        WHEN NOT ${run_ok} THEN 'run'
        WHEN attempt IS NULL THEN 'no-attempt'
        WHEN ${attempt_ok} IS NOT TRUE THEN 'attempt'
        WHEN headers['outcome'] IS NULL THEN 'no-outcome'
        WHEN NOT ${outcome_ok} THEN 'outcome'
        WHEN headers['event_ms'] IS NULL THEN 'no-event-time'
        WHEN event_ms IS NULL OR event_ms < ${earliest_ms} THEN 'event-time'
        WHEN event_ms / 1000 - arrived_s > ${future_s} THEN 'future'
        ELSE 'too-late'
    END AS reason,
    '${runs_topic}' AS origin_topic,
    origin_partition,
    origin_offset,
    message_key,
    headers,
    body
FROM runs
WHERE NOT ${countable} AND NOT tick
