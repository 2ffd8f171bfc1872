-- Changes of groups are counted, so that a session which missed one is found and
-- told anew: chats.version is how many there were, group_changes which of them
-- was the last to the name, the description, the picture, or the members and
-- admins, and whose it was.

ALTER TABLE chats ADD COLUMN version integer NOT NULL DEFAULT 0;

CREATE TABLE group_changes (
	chat_id uuid NOT NULL REFERENCES chats ON DELETE CASCADE,
	kind    smallint NOT NULL,  -- 0 name, 1 description, 2 picture, 3 members
	version integer NOT NULL,
	user_id uuid NOT NULL,      -- who made it
	PRIMARY KEY (chat_id, kind),
	CONSTRAINT group_changes_kind_check CHECK (kind BETWEEN 0 AND 3)
);

DO $do$
BEGIN
	IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'parley_chatd'
		AND rolname <> current_user) THEN
		GRANT SELECT, INSERT, UPDATE, DELETE ON group_changes
		    TO parley_chatd;
	END IF;
END
$do$;
