-- The audit log. Each entry has the hash of the one before in its own, so that none can be changed, removed, inserted or moved
-- without a trace.
CREATE TABLE audit (
    number BIGINT PRIMARY KEY NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    previous_sha256 BYTEA NOT NULL,
    sha256 BYTEA NOT NULL
);

CREATE INDEX audit_by_subject ON audit (subject, number);

-- The end of the chain: how many entries there are, and the hash of the last. Whoever appends locks this row, so that there is
-- one order.
CREATE TABLE audit_head (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    entries BIGINT NOT NULL,
    sha256 BYTEA NOT NULL
);

INSERT INTO audit_head (id, entries, sha256)
VALUES (1, 0, '\x0000000000000000000000000000000000000000000000000000000000000000');

-- It is only ever added to: this keeps mistakes away, and the hashes tell of intent.
CREATE FUNCTION audit_is_only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only added to';
END;
$$;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE OR DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_is_only_added_to();
