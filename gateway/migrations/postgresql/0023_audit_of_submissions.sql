-- 0 until the audit log has the submission. What was submitted before this version is not written down afterwards.
ALTER TABLE requests ADD COLUMN submission_noted BIGINT NOT NULL DEFAULT 1;
CREATE INDEX requests_to_note ON requests (submitted_at) WHERE submission_noted = 0;

-- The last entry of the audit log that was sent to syslog, once that is configured.
CREATE TABLE syslog (
    id BIGINT PRIMARY KEY NOT NULL CHECK (id = 1),
    number BIGINT NOT NULL
);
