-- Groups: a repeated create_group finds its group, and the messages of groups
-- that were emptied are removed little by little.

ALTER TABLE chats ADD COLUMN create_request_id text;
CREATE UNIQUE INDEX chats_create_request ON chats (created_by, create_request_id)
	WHERE create_request_id IS NOT NULL;

-- Groups whose last member has left; the chat is gone already.
CREATE TABLE emptied_groups (
	chat_id    uuid PRIMARY KEY,
	emptied_at timestamptz NOT NULL DEFAULT now()
);

-- Who calls whom what, without the contacts that have no nickname.
CREATE INDEX contacts_nicknames ON contacts (owner_id, user_id)
	INCLUDE (nickname) WHERE nickname IS NOT NULL;

DO $do$
BEGIN
	IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'parley_chatd'
		AND rolname <> current_user) THEN
		GRANT SELECT, INSERT, UPDATE, DELETE ON emptied_groups
		    TO parley_chatd;
	END IF;
END
$do$;
