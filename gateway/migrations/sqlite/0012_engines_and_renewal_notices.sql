-- A CA engine elsewhere may be down: when an approved request is tried next, or while somebody tries: when others may think that he has
-- died of it. How often it was tried, and why that failed.
ALTER TABLE requests ADD COLUMN issue_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN issue_attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN issue_fault TEXT;
CREATE INDEX requests_to_issue ON requests (issue_at, submitted_at) WHERE state = 'approved';

-- When the holder was told that the certificate can be renewed.
ALTER TABLE requests ADD COLUMN renewal_told_at INTEGER;
CREATE INDEX requests_to_renew ON requests (certificate_type, not_after) WHERE state = 'issued' AND renewal_told_at IS NULL;

-- Whether a certificate has been renewed already.
CREATE INDEX requests_by_renewed ON requests (renews) WHERE renews IS NOT NULL;

-- The certificate of an engine's CA, as it was when the engine was first seen: another CA is not taken for it.
CREATE TABLE engines (
    name TEXT PRIMARY KEY NOT NULL,
    certificate BLOB NOT NULL
) STRICT;
