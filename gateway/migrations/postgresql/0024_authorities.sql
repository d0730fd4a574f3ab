-- The issuing CA of each certificate, as crls names it: there may be several, one after the other.
ALTER TABLE requests ADD COLUMN issuer BYTEA;

-- Certificates of issuing CAs that were revoked, for the root's CRL.
CREATE TABLE revoked_authorities (
    serial_number BYTEA PRIMARY KEY NOT NULL,
    revoked_at BIGINT NOT NULL,
    reason TEXT NOT NULL
);
