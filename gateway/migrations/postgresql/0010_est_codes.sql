-- One-time codes with which devices enroll (RFC 7030, section 3.2.3). The code itself is nowhere; it has 128 random bits.
CREATE TABLE est_codes (
    code_sha256 BYTEA PRIMARY KEY NOT NULL,
    common_name TEXT NOT NULL,
    certificate_type TEXT NOT NULL,
    device_kind TEXT NOT NULL,
    device_file_format TEXT NOT NULL,
    email_address TEXT NOT NULL,
    -- Times are seconds since 1970-01-01T00:00:00Z.
    created_at BIGINT NOT NULL,
    valid_until BIGINT NOT NULL,
    -- The SHA-256 of the certification request that has used it up: that one may be asked for again.
    submission_sha256 BYTEA
);
