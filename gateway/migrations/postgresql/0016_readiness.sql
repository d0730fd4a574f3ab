-- One row, which /readyz changes to find out whether anything can be written.
CREATE TABLE readiness (tried_at BIGINT NOT NULL);
INSERT INTO readiness (tried_at) VALUES (0);
