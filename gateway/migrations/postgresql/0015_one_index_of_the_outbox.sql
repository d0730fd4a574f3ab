-- The identity is made of kind and unique_key, so that its index keeps both unique: a second one is a place more, anywhere on the disk,
-- that each notification is written to.
ALTER TABLE outbox DROP CONSTRAINT outbox_kind_unique_key_key;
