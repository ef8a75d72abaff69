-- Who may: tenants, their tokens, and what was done to them. A tenant is the first part of its projects' names.
CREATE TABLE tenant (
    name       text        PRIMARY KEY,
    created_at timestamptz NOT NULL
);

-- token: a secret is shown once and kept as its SHA-256 alone; it is long and random, so nothing slower is needed.
CREATE TABLE token (
    prefix     text        PRIMARY KEY,   -- the part that may be shown
    tenant     text        NOT NULL REFERENCES tenant,
    label      text        NOT NULL,
    hash       bytea       NOT NULL,
    scopes     text[]      NOT NULL,      -- ingest, read, gate, admin
    created_at timestamptz NOT NULL,
    expires_at timestamptz,               -- null: never
    revoked_at timestamptz,
    used_at    timestamptz                -- the last use, to the minute
);

-- webhook_secret: what a sender signs with or shows; the two newest of a tenant and sender are valid. Kept as they are,
-- since a signature cannot be checked against a hash.
CREATE TABLE webhook_secret (
    tenant     text        NOT NULL REFERENCES tenant,
    sender     text        NOT NULL,      -- github, gitlab
    secret     text        NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, sender, secret)
);

-- audit: who changed what; rows are only ever added.
CREATE TABLE audit (
    id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL,
    tenant  text        NOT NULL,
    actor   text        NOT NULL,
    action  text        NOT NULL,
    subject text        NOT NULL
);

CREATE INDEX audit_tenant ON audit (tenant, id);
