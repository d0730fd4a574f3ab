-- Requests for certificates. A row only ever moves forward: pending -> rejected, or pending -> approved -> issued.
-- Approval fixes serial number and validity, so that signing is a pure function of the row and can be repeated after a crash.
CREATE TABLE requests (
    transaction_id TEXT PRIMARY KEY NOT NULL,
    certificate_type TEXT NOT NULL,
    common_name TEXT NOT NULL,
    email_address TEXT NOT NULL,
    certification_request BLOB NOT NULL,
    certification_request_sha256 BLOB NOT NULL UNIQUE,
    -- What the certificate type promised when the request came.
    validity_days INTEGER NOT NULL,
    -- Times are seconds since 1970-01-01T00:00:00Z.
    submitted_at INTEGER NOT NULL,
    -- When it approves itself; without it, a person decides.
    approve_at INTEGER,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'rejected', 'approved', 'issued')),
    decided_at INTEGER,
    rejection_reason TEXT,
    serial_number BLOB UNIQUE,
    not_before INTEGER,
    not_after INTEGER,
    certificate BLOB,
    CHECK ((state = 'pending') = (decided_at IS NULL)),
    CHECK ((state = 'rejected') = (rejection_reason IS NOT NULL)),
    CHECK ((state IN ('approved', 'issued')) = (serial_number IS NOT NULL)),
    CHECK ((serial_number IS NULL) = (not_before IS NULL) AND (serial_number IS NULL) = (not_after IS NULL)),
    CHECK ((state = 'issued') = (certificate IS NOT NULL))
) STRICT;

CREATE INDEX requests_by_state ON requests (state, submitted_at);

-- The current CRL of each issuer, named by the SHA-256 of its certificate. The number only ever grows (RFC 5280, section 5.2.3).
CREATE TABLE crls (
    issuer BLOB PRIMARY KEY NOT NULL,
    number INTEGER NOT NULL,
    this_update INTEGER NOT NULL,
    crl BLOB NOT NULL
) STRICT;
