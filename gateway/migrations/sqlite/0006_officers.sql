-- Officers. Times are seconds since 1970-01-01T00:00:00Z; of what lets somebody in, the hash alone is kept.
CREATE TABLE officers (
    id TEXT PRIMARY KEY NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('uaa', 'approver', 'auditor')),
    -- A User Access Administrator sees the people of one company alone.
    company TEXT CHECK ((role = 'uaa') = (company IS NOT NULL)),
    name TEXT NOT NULL,
    email_address TEXT NOT NULL,
    invited_at INTEGER NOT NULL,
    -- The one-time link that is open.
    link_sha256 BLOB UNIQUE,
    link_expires_at INTEGER CHECK ((link_sha256 IS NULL) = (link_expires_at IS NULL)),
    -- The client certificate that signs in.
    certificate_serial_number BLOB UNIQUE,
    last_seen_at INTEGER,
    revoked_at INTEGER
) STRICT;

CREATE TABLE sessions (
    token_sha256 BLOB PRIMARY KEY NOT NULL,
    officer_id TEXT NOT NULL REFERENCES officers (id),
    started_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL
) STRICT;

CREATE INDEX sessions_by_officer ON sessions (officer_id);
CREATE INDEX sessions_by_start ON sessions (started_at);

-- Who may have a certificate. One authorisation is for one request.
CREATE TABLE authorisations (
    id TEXT PRIMARY KEY NOT NULL,
    certificate_type TEXT NOT NULL,
    common_name TEXT NOT NULL,
    -- The *_key columns are in lowercase, for searching.
    common_name_key TEXT NOT NULL,
    email_address TEXT NOT NULL,
    email_address_key TEXT NOT NULL,
    company TEXT NOT NULL,
    authorised_at INTEGER NOT NULL,
    authorised_by TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    withdrawn_at INTEGER,
    -- The transaction ID of the request that it is for.
    used_by TEXT UNIQUE
) STRICT;

CREATE INDEX authorisations_by_time ON authorisations (authorised_at, id);
CREATE INDEX authorisations_by_company ON authorisations (company, authorised_at, id);
CREATE INDEX authorisations_by_common_name ON authorisations (common_name_key, id);
CREATE INDEX authorisations_by_email_address ON authorisations (email_address_key, id);

ALTER TABLE requests ADD COLUMN authorisation_id TEXT;
-- The company of the authorisation, or of the certificate that is renewed.
ALTER TABLE requests ADD COLUMN company TEXT;
ALTER TABLE requests ADD COLUMN common_name_key TEXT NOT NULL DEFAULT '';
ALTER TABLE requests ADD COLUMN email_address_key TEXT NOT NULL DEFAULT '';
UPDATE requests SET common_name_key = lower(common_name), email_address_key = lower(email_address);

CREATE INDEX requests_by_time ON requests (submitted_at, transaction_id);
CREATE INDEX requests_by_type ON requests (certificate_type, submitted_at, transaction_id);
CREATE INDEX requests_by_company ON requests (company, submitted_at, transaction_id);
CREATE INDEX requests_by_common_name ON requests (common_name_key, transaction_id);
CREATE INDEX requests_by_authorisation ON requests (authorisation_id) WHERE authorisation_id IS NOT NULL;
CREATE INDEX requests_by_email_address ON requests (email_address_key, transaction_id);
