-- The identity is made of kind and unique_key, so that its index keeps both unique: a second one is a place more, anywhere on the disk,
-- that each notification is written to.
CREATE TABLE outbox_with_one_index (
    -- Of kind and unique_key, in hexadecimal: the message is named by it.
    identity TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL,
    -- What it tells of: nobody is told twice.
    unique_key TEXT NOT NULL,
    recipient TEXT NOT NULL,
    transaction_id TEXT,
    -- What goes into the template: a JSON object of texts.
    details TEXT NOT NULL,
    -- Times are seconds since 1970-01-01T00:00:00Z.
    created_at INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    -- When it is tried next, or while somebody tries: when others may think that he has died of it.
    attempt_at INTEGER NOT NULL,
    -- Why the last attempt failed; empty while one is under way.
    fault TEXT
) STRICT;

INSERT INTO outbox_with_one_index SELECT * FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_with_one_index RENAME TO outbox;
CREATE INDEX outbox_waiting ON outbox (attempt_at) WHERE state = 'waiting';
