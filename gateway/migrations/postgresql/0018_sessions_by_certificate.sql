-- The certificate that a session began with: its serial number, and the SHA-256 of its DER. Nothing for a session that began by a link.
-- Which certificate an earlier session began with is not known: those end.
DELETE FROM sessions;
ALTER TABLE sessions ADD COLUMN certificate_serial BYTEA;
ALTER TABLE sessions ADD COLUMN certificate_sha256 BYTEA;
CREATE INDEX sessions_by_certificate ON sessions (certificate_serial) WHERE certificate_serial IS NOT NULL;
