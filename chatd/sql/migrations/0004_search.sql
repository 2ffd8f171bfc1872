-- Message search.
--
-- An index of trigrams on the messages themselves would make each send dearer by
-- ten times. So the texts of a long chat are copied, folded, 512 messages to a
-- row, after they were sent and apart from it; what is not copied yet (a few
-- thousand messages at most, unless copying lags) is read as it is. The rows of a
-- chat have no gaps: the last one says how far the copy goes.
CREATE TABLE message_blocks (
	chat_id uuid NOT NULL REFERENCES chats ON DELETE CASCADE,
	-- Messages of seq 512 * block + 1 to 512 * block + 512.
	block   bigint NOT NULL,
	body    text NOT NULL,
	PRIMARY KEY (chat_id, block)
);

-- Where an extension is not to be had, the chat's rows are read one by one.
DO $do$
BEGIN
	IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm')
	    AND EXISTS (SELECT FROM pg_available_extensions
		WHERE name = 'btree_gin')
	THEN
		CREATE EXTENSION IF NOT EXISTS btree_gin WITH SCHEMA public;
		CREATE INDEX message_blocks_search ON message_blocks
		    USING gin (chat_id, body public.gin_trgm_ops);
	END IF;
	IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'parley_chatd'
	    AND rolname <> current_user)
	THEN
		GRANT SELECT, INSERT, UPDATE, DELETE ON message_blocks
		    TO parley_chatd;
	END IF;
END
$do$;

-- Both columns: a plan that begins with the person known finds the one contact,
-- however many people know that person.
DROP INDEX contacts_user;
CREATE INDEX contacts_user ON contacts (user_id, owner_id);
