-- What operators ask by parleyctl. Shells of erased accounts are nobody here.

-- name: admin_user_find
-- $1 an id or null, $2 a username or an email address
SELECT u.id, u.username, u.name, u.email, u.avatar_url, u.created_at,
       u.last_seen_at, u.disabled_at, u.shell_id IS NOT NULL AS being_erased,
       (SELECT count(*) FROM tokens t WHERE t.user_id = u.id
		AND t.expires_at > now()
		AND (t.ended_at IS NULL OR t.ended_at > now())) AS sessions,
       (SELECT count(*) FROM members x WHERE x.user_id = u.id) AS chats
FROM users u
WHERE u.erased_at IS NULL AND u.id = (
	SELECT id FROM users WHERE id = $1::uuid
	UNION ALL
	SELECT id FROM users WHERE username_key = lower($2::text)
	UNION ALL
	SELECT id FROM users WHERE email_key = lower($2::text)
	LIMIT 1)

-- name: admin_user_list
-- A page in the order of usernames: above $1; with $2 (not null) within
-- username, name or address; $3 = 1: disabled ones alone; at most $4.
SELECT u.id, u.username, u.name, u.email, u.avatar_url, u.created_at,
       u.last_seen_at, u.disabled_at, u.shell_id IS NOT NULL AS being_erased,
       (SELECT count(*) FROM tokens t WHERE t.user_id = u.id
		AND t.expires_at > now()
		AND (t.ended_at IS NULL OR t.ended_at > now())) AS sessions,
       (SELECT count(*) FROM members x WHERE x.user_id = u.id) AS chats
FROM (
	SELECT * FROM users p
	WHERE p.username_key COLLATE "C" > lower($1::text)
		AND p.erased_at IS NULL
		AND ($2::text IS NULL
			OR strpos(p.username_key, lower($2::text)) > 0
			OR strpos(p.name_fold, parley_fold($2::text)) > 0
			OR strpos(p.email_key, lower($2::text)) > 0)
		AND ($3::integer = 0 OR p.disabled_at IS NOT NULL)
	ORDER BY p.username_key COLLATE "C" LIMIT $4::bigint
) u
ORDER BY u.username_key COLLATE "C"

-- name: admin_user_disable
-- One row where there is that account. A login that is under way holds the row,
-- so that what ends the tokens, a statement of its own, sees the one it makes.
UPDATE users SET disabled_at = coalesce(disabled_at, now())
WHERE id = $1::uuid AND erased_at IS NULL
RETURNING id

-- name: admin_user_enable
UPDATE users SET disabled_at = NULL
WHERE id = $1::uuid AND erased_at IS NULL AND shell_id IS NULL
RETURNING id

-- name: admin_user_password
UPDATE users SET password_hash = $2::text
WHERE id = $1::uuid AND erased_at IS NULL AND shell_id IS NULL
RETURNING id

-- name: admin_tokens_end
-- All of user $1, or the one $2. Without a clock: see token_end.
UPDATE tokens SET ended_at = '-infinity'
WHERE user_id = $1::uuid AND ($2::uuid IS NULL OR id = $2::uuid)
	AND expires_at > now() AND (ended_at IS NULL OR ended_at > now())

-- name: admin_tokens
-- The user's logins that hold, newest first; at most $2.
SELECT id, created_at, expires_at FROM tokens
WHERE user_id = $1::uuid AND expires_at > now()
	AND (ended_at IS NULL OR ended_at > now())
ORDER BY created_at DESC, id DESC LIMIT $2::bigint

-- name: admin_user_there
SELECT id FROM users WHERE id = $1::uuid AND erased_at IS NULL

-- ---- what is stored of somebody --------------------------------------------
-- Each gives lines of JSON and, behind each, where the next page begins.

-- name: export_profile
SELECT json_build_object('kind', 'profile', 'id', id, 'username', username,
	'name', name, 'email', email, 'avatar_url', avatar_url,
	'created_at', to_char(created_at AT TIME ZONE 'UTC',
		'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
	'last_seen_at', to_char(last_seen_at AT TIME ZONE 'UTC',
		'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
	'disabled_at', to_char(disabled_at AT TIME ZONE 'UTC',
		'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))::text,
       id::text
FROM users
WHERE id = $1::uuid AND $2::text = '' AND erased_at IS NULL
	AND $3::bigint > 0

-- name: export_sessions
SELECT json_build_object('kind', 'session', 'id', id,
	'created_at', to_char(created_at AT TIME ZONE 'UTC',
		'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
	'expires_at', to_char(expires_at AT TIME ZONE 'UTC',
		'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
	'ended', coalesce(ended_at <= now(), false))::text,
       id::text
FROM tokens
WHERE user_id = $1::uuid AND ($2::text = '' OR id > nullif($2::text, '')::uuid)
ORDER BY id LIMIT $3::bigint

-- name: export_contacts
SELECT json_build_object('kind', 'contact', 'user_id', u.id,
	'username', u.username, 'name', u.name, 'nickname', k.nickname,
	'added_at', to_char(k.added_at AT TIME ZONE 'UTC',
		'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))::text,
       u.id::text
FROM contacts k JOIN users u ON u.id = k.user_id
WHERE k.owner_id = $1::uuid
	AND ($2::text = '' OR k.user_id > nullif($2::text, '')::uuid)
ORDER BY k.user_id LIMIT $3::bigint

-- name: export_chats
SELECT json_build_object('kind', 'chat', 'id', c.id,
	'type', CASE c.kind WHEN 0 THEN 'private' ELSE 'group' END,
	'name', c.name, 'description', c.description,
	'avatar_url', c.avatar_url,
	'with', CASE c.kind WHEN 0 THEN (
		SELECT u.username FROM members x JOIN users u ON u.id = x.user_id
		WHERE x.chat_id = c.id AND x.user_id <> $1::uuid LIMIT 1) END,
	'role', CASE me.role WHEN 1 THEN 'admin' ELSE 'member' END,
	'joined_at', to_char(me.joined_at AT TIME ZONE 'UTC',
		'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
	'last_read_at', to_char(me.last_read_at AT TIME ZONE 'UTC',
		'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))::text,
       c.id::text
FROM members me JOIN chats c ON c.id = me.chat_id
WHERE me.user_id = $1::uuid
	AND ($2::text = '' OR me.chat_id > nullif($2::text, '')::uuid)
ORDER BY me.chat_id LIMIT $3::bigint

-- name: export_messages
-- All that the person has sent, wherever it is, in the order of an index.
SELECT json_build_object('kind', 'message', 'id', m.id, 'chat_id', m.chat_id,
	'seq', m.seq, 'time', to_char(m.created_at AT TIME ZONE 'UTC',
		'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'from', 'self',
	'format', (ARRAY['text', 'image', 'video', 'audio', 'file'])[m.format + 1],
	'content', m.content, 'filename', m.filename)::text,
       m.front_msg_id::text
FROM messages m
WHERE m.sender_id = $1::uuid
	AND ($2::text = '' OR m.front_msg_id > nullif($2::text, '')::uuid)
ORDER BY m.front_msg_id LIMIT $3::bigint

-- name: export_received
-- What others have sent to the chats the person is in: what the chats show. $2 is
-- the chat and the seq after which to go on.
SELECT json_build_object('kind', 'message', 'id', m.id, 'chat_id', m.chat_id,
	'seq', m.seq, 'time', to_char(m.created_at AT TIME ZONE 'UTC',
		'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'from', s.username,
	'format', (ARRAY['text', 'image', 'video', 'audio', 'file'])[m.format + 1],
	'content', m.content, 'filename', m.filename)::text,
       m.chat_id::text || ' ' || m.seq::text
FROM (
	SELECT me.chat_id FROM members me
	WHERE me.user_id = $1::uuid AND ($2::text = ''
		OR me.chat_id >= nullif(split_part($2::text, ' ', 1), '')::uuid)
) c
CROSS JOIN LATERAL (
	SELECT * FROM messages m
	WHERE m.chat_id = c.chat_id AND m.sender_id <> $1::uuid
		AND m.deleted_at IS NULL
		AND ($2::text = ''
			OR m.chat_id > nullif(split_part($2::text, ' ', 1), '')::uuid
			OR m.seq > nullif(split_part($2::text, ' ', 2), '')::bigint)
	ORDER BY m.seq LIMIT $3::bigint
) m
LEFT JOIN users s ON s.id = m.sender_id
ORDER BY m.chat_id, m.seq LIMIT $3::bigint

-- ---- erasing ---------------------------------------------------------------

-- name: erase_begin
-- Disables, and decides on the shell ($2) unless that is done.
UPDATE users SET disabled_at = coalesce(disabled_at, now()),
	shell_id = coalesce(shell_id, $2::uuid)
WHERE id = $1::uuid AND erased_at IS NULL
RETURNING id

-- name: erase_shell
INSERT INTO users (id, username, name, email, password_hash, disabled_at,
	erased_at)
SELECT u.shell_id, 'deleted_' || left(replace(u.shell_id::text, '-', ''), 22),
       'Deleted account', u.shell_id::text || '@deleted.invalid', '', now(), now()
FROM users u WHERE u.id = $1::uuid
ON CONFLICT (id) DO NOTHING

-- name: erase_group
-- A group the person is still in, if there is one.
SELECT c.id FROM members x JOIN chats c ON c.id = x.chat_id
WHERE x.user_id = $1::uuid AND c.kind = 1 LIMIT 1

-- name: erase_blocks_lock
-- No message is being copied for search: what was read before is in its block,
-- what is read later is read anew. (A bare LOCK wants a BEGIN before it.)
DO 'BEGIN LOCK TABLE message_blocks IN SHARE ROW EXCLUSIVE MODE; END'

-- name: erase_messages
-- The next $2 of the person's messages keep their place and lose all else; the
-- blocks they were copied to are made anew without anything of him.
WITH doomed AS MATERIALIZED (
	SELECT m.chat_id, m.seq FROM messages m
	WHERE m.sender_id = $1::uuid
	ORDER BY m.front_msg_id LIMIT $2::bigint
), blocks AS (
	UPDATE message_blocks b SET body = coalesce((
		SELECT string_agg(parley_fold(m.content), E'\x01')
		FROM messages m
		WHERE m.chat_id = b.chat_id AND m.seq > b.block * 512
			AND m.seq <= (b.block + 1) * 512 AND m.format = 0
			AND m.sender_id <> $1::uuid AND m.deleted_at IS NULL), '')
	FROM (SELECT DISTINCT chat_id, (seq - 1) / 512 AS block FROM doomed) d
	WHERE b.chat_id = d.chat_id AND b.block = d.block
)
UPDATE messages m
SET sender_id = u.shell_id, front_msg_id = m.id, format = 0, content = '',
    filename = NULL, updated_at = NULL, deleted_at = statement_timestamp()
FROM doomed d, users u
WHERE m.chat_id = d.chat_id AND m.seq = d.seq AND u.id = $1::uuid

-- name: erase_chats_lock
-- A statement of its own, as chats_lock.
SELECT FROM chats
WHERE id IN (SELECT chat_id FROM members WHERE user_id = $1::uuid)
ORDER BY id FOR UPDATE

-- name: erase_chats_bury
-- Chats in which nobody is left: notes, and those with others who are erased.
-- What they held is removed little by little (groups_purge).
WITH gone AS (
	DELETE FROM chats c
	USING members me
	WHERE me.user_id = $1::uuid AND c.id = me.chat_id AND c.kind = 0
		AND NOT EXISTS (
			SELECT FROM members x JOIN users u ON u.id = x.user_id
			WHERE x.chat_id = c.id AND x.user_id <> $1::uuid
				AND u.erased_at IS NULL)
	RETURNING c.id
)
INSERT INTO emptied_groups (chat_id) SELECT id FROM gone
ON CONFLICT DO NOTHING

-- name: erase_chats_rename
-- The key of a private chat holds both ids.
UPDATE chats c
SET private_key = least(o.user_id::text COLLATE "C", u.shell_id::text COLLATE "C")
        || ':' || greatest(o.user_id::text COLLATE "C",
        u.shell_id::text COLLATE "C")
FROM users u
JOIN members me ON me.user_id = u.id
JOIN members o ON o.chat_id = me.chat_id AND o.user_id <> u.id
WHERE u.id = $1::uuid AND c.id = me.chat_id AND c.kind = 0

-- name: erase_members
UPDATE members x SET user_id = u.shell_id, last_read_at = NULL
FROM users u WHERE u.id = $1::uuid AND x.user_id = u.id

-- name: erase_group_traces
-- Who made groups and their last changes.
WITH changes AS (
	UPDATE group_changes g SET user_id = u.shell_id
	FROM users u WHERE u.id = $1::uuid AND g.user_id = u.id
)
UPDATE chats SET create_request_id = NULL, created_by = NULL
WHERE created_by = $1::uuid

-- name: erase_user
-- Tokens and contacts, his and others' of him, go with the row. A send that was
-- under way when he was cut off may have come meanwhile: then not yet. From here
-- on he is a member of nothing, so no other can.
DELETE FROM users u
WHERE u.id = $1::uuid
	AND NOT EXISTS (SELECT FROM messages m WHERE m.sender_id = $1::uuid)
