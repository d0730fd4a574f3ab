-- PostgreSQL came when the migrations of SQLite were at 0004: these are the tables as the four of them have left them there, and
-- why they are as they are stands in them. From here on the same numbers do the same on both.
CREATE TABLE requests (
    transaction_id TEXT PRIMARY KEY NOT NULL,
    certificate_type TEXT NOT NULL,
    common_name TEXT NOT NULL,
    email_address TEXT NOT NULL,
    certification_request BYTEA NOT NULL,
    submission_sha256 BYTEA NOT NULL UNIQUE,
    validity_days BIGINT NOT NULL,
    submitted_at BIGINT NOT NULL,
    approve_at BIGINT,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'rejected', 'approved', 'issued')),
    decided_at BIGINT,
    rejection_reason TEXT,
    serial_number BYTEA UNIQUE,
    not_before BIGINT,
    not_after BIGINT,
    certificate BYTEA,
    renews BYTEA,
    revocation_requested_at BIGINT,
    revocation_requested_reason TEXT,
    revoked_at BIGINT,
    revocation_reason TEXT,
    replaces TEXT,
    device_kind TEXT,
    device_file_format TEXT,
    device_names TEXT,
    CHECK ((state = 'pending') = (decided_at IS NULL)),
    CHECK ((state = 'rejected') = (rejection_reason IS NOT NULL)),
    CHECK ((state IN ('approved', 'issued')) = (serial_number IS NOT NULL)),
    CHECK ((serial_number IS NULL) = (not_before IS NULL) AND (serial_number IS NULL) = (not_after IS NULL)),
    CHECK ((state = 'issued') = (certificate IS NOT NULL)),
    CHECK ((revocation_requested_at IS NULL) = (revocation_requested_reason IS NULL)),
    CHECK (revoked_at IS NULL OR state = 'issued'),
    CHECK ((revoked_at IS NULL) = (revocation_reason IS NULL)),
    CHECK ((device_kind IS NULL) = (device_file_format IS NULL)),
    CHECK ((device_kind IS NULL) = (device_names IS NULL))
);

CREATE INDEX requests_by_state ON requests (state, submitted_at);
CREATE INDEX requests_revoked ON requests (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE crls (
    issuer BYTEA PRIMARY KEY NOT NULL,
    number BIGINT NOT NULL,
    this_update BIGINT NOT NULL,
    crl BYTEA NOT NULL,
    entries BIGINT NOT NULL DEFAULT 0
);
