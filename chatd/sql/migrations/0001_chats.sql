-- People, their tokens and contacts; chats, members and messages.
--
-- Watermarks instead of per-message states: a member row says how far its user
-- holds (delivered_seq) and has read (read_seq) the chat; the state of a message
-- follows from the others' watermarks and no message row is ever rewritten for
-- it. The rows that change with every message (chats, members) have no index on
-- what changes and keep room on their pages, so that their updates stay HOT.

-- Search folds case and accents. The wrapper is immutable because the
-- dictionary is named outright, so that it can be indexed. Where an extension
-- is not to be had, search still works: by case only, and without its index.
DO $do$
BEGIN
	IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'unaccent')
	THEN
		CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA public;
		CREATE FUNCTION parley_fold(t text) RETURNS text
		LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
		RETURN lower(public.unaccent('public.unaccent'::regdictionary,
		    normalize(t, NFKC)));
	ELSE
		CREATE FUNCTION parley_fold(t text) RETURNS text
		LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
		RETURN lower(normalize(t, NFKC));
	END IF;
	IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm')
	THEN
		CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
	END IF;
END
$do$;

CREATE TABLE users (
	id             uuid PRIMARY KEY,
	username       text NOT NULL,
	username_key   text NOT NULL GENERATED ALWAYS AS (lower(username)) STORED,
	name           text NOT NULL,
	name_fold      text NOT NULL GENERATED ALWAYS AS (parley_fold(name)) STORED,
	email          text NOT NULL,
	email_key      text NOT NULL GENERATED ALWAYS AS (lower(email)) STORED,
	avatar_url     text,
	password_hash  text NOT NULL,
	created_at     timestamptz NOT NULL DEFAULT now(),
	last_seen_at   timestamptz,
	-- The newest presence change that was applied; older ones are dropped.
	online_version bigint NOT NULL DEFAULT 0,
	CONSTRAINT users_username_key UNIQUE (username_key),
	CONSTRAINT users_email_key UNIQUE (email_key),
	CONSTRAINT users_username_check CHECK (username ~ '^[A-Za-z0-9_]{3,30}$'),
	CONSTRAINT users_name_check CHECK (char_length(name) BETWEEN 1 AND 50)
) WITH (fillfactor = 85);

DO $do$
BEGIN
	IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') THEN
		CREATE INDEX users_username_inside ON users
		    USING gin (username_key public.gin_trgm_ops);
		CREATE INDEX users_name_inside ON users
		    USING gin (name_fold public.gin_trgm_ops);
	END IF;
END
$do$;
-- Ordered byte by byte, so that a prefix is a range.
CREATE INDEX users_username_prefix ON users (username_key COLLATE "C");
CREATE INDEX users_name_prefix ON users (name_fold COLLATE "C");

-- The token itself is never stored, only its SHA-256.
CREATE TABLE tokens (
	id         uuid PRIMARY KEY,
	hash       bytea NOT NULL,
	user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
	created_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL,
	ended_at   timestamptz,
	CONSTRAINT tokens_hash_key UNIQUE (hash),
	CONSTRAINT tokens_hash_check CHECK (octet_length(hash) = 32)
);
CREATE INDEX tokens_user ON tokens (user_id);
CREATE INDEX tokens_expiry ON tokens (expires_at);

CREATE TABLE contacts (
	owner_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
	user_id  uuid NOT NULL REFERENCES users ON DELETE CASCADE,
	nickname text,
	added_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (owner_id, user_id),
	CONSTRAINT contacts_nickname_check
	    CHECK (char_length(nickname) BETWEEN 1 AND 50),
	CONSTRAINT contacts_self_check CHECK (owner_id <> user_id)
);
CREATE INDEX contacts_user ON contacts (user_id);

CREATE TABLE chats (
	id              uuid PRIMARY KEY,
	kind            smallint NOT NULL,  -- 0 private, 1 group
	name            text,
	description     text,
	avatar_url      text,
	-- Private chats: both ids as text, the lower first, with a colon between;
	-- a notes chat has the same one twice.
	private_key     text,
	created_by      uuid REFERENCES users ON DELETE SET NULL,
	created_at      timestamptz NOT NULL DEFAULT now(),
	last_seq        bigint NOT NULL DEFAULT 0,
	last_message_at timestamptz,
	-- Every message up to here has been announced to its sender as delivered.
	announced_seq   bigint NOT NULL DEFAULT 0,
	announced_at    timestamptz,
	CONSTRAINT chats_private_key UNIQUE (private_key),
	CONSTRAINT chats_kind_check CHECK (
	    (kind = 0 AND private_key IS NOT NULL AND name IS NULL)
	    OR (kind = 1 AND private_key IS NULL AND name IS NOT NULL)),
	CONSTRAINT chats_seq_check CHECK (announced_seq <= last_seq)
) WITH (fillfactor = 70);

CREATE TABLE members (
	chat_id       uuid NOT NULL REFERENCES chats ON DELETE CASCADE,
	user_id       uuid NOT NULL REFERENCES users ON DELETE CASCADE,
	role          smallint NOT NULL DEFAULT 0,  -- 0 member, 1 admin
	joined_at     timestamptz NOT NULL DEFAULT now(),
	-- The chat's last_seq at joining: what was before counts as read.
	joined_seq    bigint NOT NULL DEFAULT 0,
	delivered_seq bigint NOT NULL DEFAULT 0,
	read_seq      bigint NOT NULL DEFAULT 0,
	-- Own messages above read_seq: they are never unread.
	own_unread    integer NOT NULL DEFAULT 0,
	last_read_at  timestamptz,
	-- Own messages up to here have been announced as delivered; beyond the
	-- chat's announced_seq only for who lags behind all others.
	announced_seq bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (chat_id, user_id),
	CONSTRAINT members_marks_check
	    CHECK (read_seq <= delivered_seq AND own_unread >= 0)
) WITH (fillfactor = 70);
-- Both columns: a pair may be looked up by either index, whichever the plan takes.
CREATE INDEX members_user ON members (user_id, chat_id);

-- No foreign keys: the one statement that inserts holds the chat's row lock and
-- has joined the sender's membership; two checks a row would only cost.
CREATE TABLE messages (
	chat_id      uuid NOT NULL,
	seq          bigint NOT NULL,
	id           uuid NOT NULL,
	sender_id    uuid NOT NULL,
	front_msg_id uuid NOT NULL,
	format       smallint NOT NULL,
	content      text NOT NULL,
	filename     text,
	created_at   timestamptz NOT NULL,
	updated_at   timestamptz,
	deleted_at   timestamptz,
	PRIMARY KEY (chat_id, seq),
	CONSTRAINT messages_id_key UNIQUE (id),
	-- The idempotency key of a send.
	CONSTRAINT messages_send_key UNIQUE (sender_id, front_msg_id)
);
