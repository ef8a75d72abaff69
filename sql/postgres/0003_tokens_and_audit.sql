-- A token's own limits (null: those of the settings), and the token that took its place.
ALTER TABLE token
    ADD COLUMN requests_per_minute integer CHECK (requests_per_minute > 0),
    ADD COLUMN bytes_per_day       bigint  CHECK (bytes_per_day > 0),
    ADD COLUMN successor           text;    -- prefix of what it was rotated to

-- audit: what was done stays written, whoever asks.
CREATE FUNCTION audit_refuses() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of audit are only ever added' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER audit_is_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuses();
