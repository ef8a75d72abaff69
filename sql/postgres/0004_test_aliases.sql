-- test_alias: a test that was renamed; what comes in as old_test is taken for new_test. Chains are followed, none leads back.
CREATE TABLE test_alias (
    tenant   text        NOT NULL REFERENCES tenant ON DELETE CASCADE,
    project  text        NOT NULL,   -- <tenant>/<name>
    old_test text        NOT NULL,   -- id of a test, as on the topic
    new_test text        NOT NULL,
    since    timestamptz NOT NULL,   -- when it was written here
    PRIMARY KEY (project, old_test)
);

CREATE INDEX test_alias_tenant ON test_alias (tenant);
