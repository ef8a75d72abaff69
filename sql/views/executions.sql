-- executions: the job executions on argus.cicd.runs that can be counted, from their headers alone.
-- One boolean decides, so that a good row pays for no reason; rejected.sql finds the reason of the others.
CREATE VIEW executions AS
SELECT
    project,
    run,
    event_ms / 60000 * 60000                                AS minute_ms,  -- its start, epoch ms
    attempt = x'31' AND outcome IN ('failure', 'timeout') AS failing,    -- the first attempt alone
    attempt = x'31' AND outcome = 'error'                  AS erring,     -- the first attempt alone
    CASE WHEN attempt = x'31' AND outcome IN ('failure', 'timeout', 'error') THEN body END AS told,  -- of what failed
    arrival
FROM runs
WHERE ${countable}
