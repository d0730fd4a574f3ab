-- Certificates that were revoked by their serial number, and whose requests are not here: a restore may have lost them.
CREATE TABLE revoked_serial_numbers (
    serial_number BLOB PRIMARY KEY NOT NULL,
    revoked_at INTEGER NOT NULL,
    reason TEXT NOT NULL
) STRICT;
