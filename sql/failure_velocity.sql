-- failure_velocity: runs, failing runs and error runs, per project and minute.
-- in   executions        job executions by their headers; any order, repeated, up to 24 h late
-- out  failure_velocity  key (project, minute_ms), corrected whenever a run's least minute moves
-- keep state 9 d: longer than the log, so that a correction always finds its total
WITH least_minutes AS (
    SELECT
        project,
        run,
        MIN(minute_ms)                         AS run_minute,     -- epoch ms
        MIN(minute_ms) FILTER (WHERE failing)  AS failing_minute, -- epoch ms
        MIN(minute_ms) FILTER (WHERE erring)   AS error_minute    -- epoch ms
    FROM executions
    GROUP BY project, run
),
-- After a crash executions are read again in other batches, and one may move its run before the run is ever in the
-- minute in which it was told to be: so the minute of every execution is told again, in no series.
read_minutes AS (
    SELECT project, minute_ms, COUNT(*) AS times
    FROM executions
    GROUP BY project, minute_ms
),
counted AS (
    SELECT project, minute_ms, series
    FROM least_minutes
    CROSS JOIN UNNEST(ARRAY[run_minute, failing_minute, error_minute]) WITH ORDINALITY AS minutes (minute_ms, series)
    WHERE minute_ms IS NOT NULL
    UNION ALL
    SELECT project, minute_ms, 0
    FROM read_minutes
    WHERE times > 0  -- always so; a count that nobody wants would not be counted, and change nothing
)
SELECT
    project,
    minute_ms,
    COUNT(*) FILTER (WHERE series = 1)  AS runs,
    COUNT(*) FILTER (WHERE series = 2)  AS failing_runs,
    COUNT(*) FILTER (WHERE series = 3)  AS error_runs
FROM counted
GROUP BY project, minute_ms
