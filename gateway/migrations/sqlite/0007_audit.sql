-- The audit log. Each entry has the hash of the one before in its own, so that none can be changed, removed, inserted or moved
-- without a trace.
CREATE TABLE audit (
    number INTEGER PRIMARY KEY NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    previous_sha256 BLOB NOT NULL,
    sha256 BLOB NOT NULL
) STRICT;

CREATE INDEX audit_by_subject ON audit (subject, number);

-- The end of the chain: how many entries there are, and the hash of the last. Whoever appends locks this row, so that there is
-- one order.
CREATE TABLE audit_head (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    entries INTEGER NOT NULL,
    sha256 BLOB NOT NULL
) STRICT;

INSERT INTO audit_head (id, entries, sha256)
VALUES (1, 0, x'0000000000000000000000000000000000000000000000000000000000000000');

-- It is only ever added to: this keeps mistakes away, and the hashes tell of intent.
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
