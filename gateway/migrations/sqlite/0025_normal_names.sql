-- Names are compared in their normal form (NFC) from now on. The keys of those that may differ are written again when the gateway starts.
UPDATE requests SET common_name_key = '' WHERE common_name GLOB '*[^ -~]*';
UPDATE authorisations SET common_name_key = '' WHERE common_name GLOB '*[^ -~]*';
