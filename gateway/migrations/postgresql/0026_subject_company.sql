-- The company in the subject, if the certificate type has a place for it.
ALTER TABLE requests ADD COLUMN subject_company TEXT;
