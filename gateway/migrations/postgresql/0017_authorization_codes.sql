-- The SHA-256 of the one-time code of an authorisation. Those of before have none.
ALTER TABLE authorisations ADD COLUMN code_sha256 BYTEA;
CREATE UNIQUE INDEX authorisations_by_code ON authorisations (code_sha256) WHERE code_sha256 IS NOT NULL;

-- Which code a request came with: 'right', 'none' or 'wrong'. Nothing where none is asked for: a renewal, a device by EST, and what came before.
ALTER TABLE requests ADD COLUMN code_shown TEXT;
