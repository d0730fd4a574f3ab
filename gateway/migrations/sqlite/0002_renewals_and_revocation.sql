-- What was submitted is kept once: the certification request, or for a renewal the certification request and the certificate
-- that it renews, so that one key may be certified anew.
ALTER TABLE requests RENAME COLUMN certification_request_sha256 TO submission_sha256;
-- The serial number of the certificate that the request renews.
ALTER TABLE requests ADD COLUMN renews BLOB;

-- Reasons are the names that the API has for those of RFC 5280, section 5.3.1.
ALTER TABLE requests ADD COLUMN revocation_requested_at INTEGER;
ALTER TABLE requests ADD COLUMN revocation_requested_reason TEXT
    CHECK ((revocation_requested_at IS NULL) = (revocation_requested_reason IS NULL));
-- Once it is revoked, a certificate stays so.
ALTER TABLE requests ADD COLUMN revoked_at INTEGER CHECK (revoked_at IS NULL OR state = 'issued');
ALTER TABLE requests ADD COLUMN revocation_reason TEXT CHECK ((revoked_at IS NULL) = (revocation_reason IS NULL));

CREATE INDEX requests_revoked ON requests (revoked_at) WHERE revoked_at IS NOT NULL;

-- How many certificates are on the CRL: one more revocation, and it is signed anew.
ALTER TABLE crls ADD COLUMN entries INTEGER NOT NULL DEFAULT 0;
