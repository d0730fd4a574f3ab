-- Names of requests that came before there were keys for searching: SQLite's lower() knows ASCII alone, so the gateway writes these keys.
UPDATE requests SET common_name_key = '' WHERE common_name GLOB '*[^ -~]*';
