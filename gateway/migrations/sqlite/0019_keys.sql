-- The key of a certification request: the SHA-256 of its SubjectPublicKeyInfo, in hexadecimal. Those of before get theirs when the gateway
-- starts.
ALTER TABLE requests ADD COLUMN key_id TEXT;
CREATE INDEX requests_by_key ON requests (key_id);
