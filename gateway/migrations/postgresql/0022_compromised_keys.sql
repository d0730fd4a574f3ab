-- The keys of requests that were purged, where a stranger may have the key: they get no certificate.
CREATE TABLE compromised_keys (
    key_id TEXT PRIMARY KEY NOT NULL
);
