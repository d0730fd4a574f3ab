-- The transaction ID of the request whose certificate is lost, where the applicant quotes one.
ALTER TABLE requests ADD COLUMN replaces TEXT;
