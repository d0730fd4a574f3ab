-- The device that a certificate is for, where it is for one. Its name is the Common Name; its e-mail address is the row's.
ALTER TABLE requests ADD COLUMN device_kind TEXT;
ALTER TABLE requests ADD COLUMN device_file_format TEXT CHECK ((device_kind IS NULL) = (device_file_format IS NULL));
-- The dNSNames and iPAddresses asked for, for the officer to read: "DNS:rig.example.com IP:192.0.2.1". Issuance reads the request.
ALTER TABLE requests ADD COLUMN device_names TEXT CHECK ((device_kind IS NULL) = (device_names IS NULL));
