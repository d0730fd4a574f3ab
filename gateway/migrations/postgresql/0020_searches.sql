-- The fingerprints of a certificate, in hexadecimal: those of before are written when the gateway starts. The columns are empty where there is
-- no certificate.
ALTER TABLE requests ADD COLUMN certificate_sha1 TEXT;
ALTER TABLE requests ADD COLUMN certificate_sha256 TEXT;
CREATE INDEX requests_by_certificate_sha1 ON requests (certificate_sha1) WHERE certificate_sha1 IS NOT NULL;
CREATE INDEX requests_by_certificate_sha256 ON requests (certificate_sha256) WHERE certificate_sha256 IS NOT NULL;
CREATE INDEX requests_without_fingerprint ON requests (transaction_id) WHERE certificate IS NOT NULL AND certificate_sha256 IS NULL;

-- What the console lists beside the states. Where the state is compared it comes first, though there is only one: SQLite prefers an index in which
-- everything is compared, and would go by requests_by_state.
CREATE INDEX requests_revocation_requested ON requests (submitted_at, transaction_id)
    WHERE revocation_requested_at IS NOT NULL AND revoked_at IS NULL;
CREATE INDEX requests_by_revocation ON requests (submitted_at, transaction_id) WHERE revoked_at IS NOT NULL;
CREATE INDEX requests_by_end ON requests (state, not_after, transaction_id) WHERE state = 'issued' AND revoked_at IS NULL;
