-- project_seasonality: the shape of each busy project's failures, fitted every night; for people, no alarm reads it.
-- Times of the shapes are local to `zone`, numbers are failing runs an hour; contracts/seasonality.py has the forms.
CREATE TABLE project_seasonality (
    project       text        PRIMARY KEY,  -- <tenant>/<name>
    as_of         timestamptz NOT NULL,     -- what the fit knew ends here
    zone          text        NOT NULL,     -- IANA name
    trend         jsonb       NOT NULL,     -- by local day
    weekly        jsonb       NOT NULL,     -- 7 numbers, Monday first
    daily         jsonb       NOT NULL,     -- 24 numbers, 00:00 first
    forecast      jsonb       NOT NULL,     -- the 24 hours after as_of, with a band of 80 %
    errors        jsonb       NOT NULL,     -- of the fit and of the week before, on the last day
    model_version integer     NOT NULL
);

-- schedule_run: what `argus schedule` knows of each of its jobs.
CREATE TABLE schedule_run (
    job       text        PRIMARY KEY,
    since     timestamptz NOT NULL,             -- first known: nights before are nobody's
    completed timestamptz,                      -- when the last run began that came to its end
    tried     timestamptz,                      -- when the last run began
    failures  integer     NOT NULL DEFAULT 0    -- runs since the last that came to its end
);
