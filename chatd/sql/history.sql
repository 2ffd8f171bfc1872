-- Pages of the past: get_messages, sync, typing, search. Lookups by a pair of ids
-- stand in a LATERAL with LIMIT 1: see messages.sql.

-- name: history_chats
-- Which of $2 the user $1 is a member of (by place), and how far they go.
SELECT i.ord, c.last_seq
FROM unnest($2::uuid[]) WITH ORDINALITY AS i (id, ord)
CROSS JOIN LATERAL (
	SELECT FROM members x
	WHERE x.chat_id = i.id AND x.user_id = $1::uuid LIMIT 1
) me
CROSS JOIN LATERAL (
	SELECT x.last_seq FROM chats x WHERE x.id = i.id LIMIT 1
) c
ORDER BY i.ord

-- name: history_newer
-- Of each chat $2 in order the messages above $3, oldest first: at most $4, and
-- no more than began within the first $5 bytes of content.
SELECT m.id, m.chat_id, m.seq, m.sender_id, m.front_msg_id, m.format,
       m.content, m.filename, m.created_at, m.updated_at, m.deleted_at,
       s.username, s.name, s.avatar_url, k.nickname
FROM unnest($2::uuid[], $3::bigint[]) WITH ORDINALITY AS i (id, after_seq, ord)
CROSS JOIN LATERAL (
	SELECT FROM members x
	WHERE x.chat_id = i.id AND x.user_id = $1::uuid LIMIT 1
) me
CROSS JOIN LATERAL (
	SELECT * FROM (
		SELECT p.*, sum(octet_length(p.content)) OVER (ORDER BY p.seq)
		           - octet_length(p.content) AS before_bytes
		FROM (
			SELECT * FROM messages m
			WHERE m.chat_id = i.id AND m.seq > i.after_seq
			ORDER BY m.seq LIMIT $4::bigint
		) p
	) p
	WHERE p.before_bytes < $5::bigint
) m
LEFT JOIN users s ON s.id = m.sender_id
LEFT JOIN LATERAL (
	SELECT c.nickname FROM contacts c
	WHERE c.owner_id = $1::uuid AND c.user_id = m.sender_id LIMIT 1
) k ON true
ORDER BY i.ord, m.seq

-- name: typing_members
-- For each pair of a chat $1 and its member $2, by place: all members. None: no
-- member.
SELECT i.ord, x.user_id
FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS i (chat_id, user_id, ord)
CROSS JOIN LATERAL (
	SELECT m.chat_id FROM members m
	WHERE m.chat_id = i.chat_id AND m.user_id = i.user_id LIMIT 1
) me
JOIN members x ON x.chat_id = me.chat_id
ORDER BY i.ord

-- name: search_access
-- Whether there is the chat $2, whether $1 is a member of it, and how many of its
-- blocks are complete and not copied yet.
SELECT EXISTS (SELECT FROM chats WHERE id = $2::uuid),
       EXISTS (SELECT FROM members
	WHERE chat_id = $2::uuid AND user_id = $1::uuid),
       (SELECT last_seq / 512 FROM chats WHERE id = $2::uuid)
           - coalesce((SELECT max(block) + 1 FROM message_blocks
		WHERE chat_id = $2::uuid), 0)

-- name: search_copy
-- Copies the next complete blocks of chat $1, at most $2.
INSERT INTO message_blocks (chat_id, block, body)
SELECT c.id, b.block, coalesce(t.body, '')
FROM chats c
CROSS JOIN LATERAL (
	SELECT coalesce(max(block) + 1, 0) AS next FROM message_blocks
	WHERE chat_id = c.id
) n
CROSS JOIN LATERAL generate_series(n.next,
	least(n.next + $2::bigint, c.last_seq / 512) - 1) AS b (block)
CROSS JOIN LATERAL (
	SELECT string_agg(parley_fold(m.content), E'\x01') AS body
	FROM messages m
	WHERE m.chat_id = c.id AND m.seq > b.block * 512
		AND m.seq <= (b.block + 1) * 512 AND m.format = 0
) t
WHERE c.id = $1::uuid
ON CONFLICT DO NOTHING

-- name: search_messages
-- The newest $3 texts of chat $1 that hold $2, oldest first: of the newest few
-- thousand and those that are in no block yet (above `walked`) each is looked at;
-- only if these give too few, the blocks that hold it are, newest first. Blocks
-- have 512 messages. `pattern` is the input with LIKE's own characters escaped.
WITH q AS MATERIALIZED (
	SELECT f AS folded, '%' || replace(replace(replace(f, '\', '\\'),
	           '%', '\%'), '_', '\_') || '%' AS pattern,
	       least(
	           coalesce((SELECT max(block) + 1 FROM message_blocks
			WHERE chat_id = $1::uuid), 0),
	           greatest((SELECT last_seq FROM chats
			WHERE id = $1::uuid) / 512 - 8, 0)) AS blocks
	FROM parley_fold($2::text) AS f
)
SELECT m.id, m.content, m.sender_id, m.created_at, m.seq
FROM (
	(SELECT * FROM messages
	WHERE chat_id = $1::uuid AND seq > (SELECT blocks * 512 FROM q)
		AND format = 0
		AND strpos(parley_fold(content), (SELECT folded FROM q)) > 0
	ORDER BY seq DESC LIMIT $3::bigint)
	UNION ALL
	(SELECT m.*
	FROM (
		SELECT block FROM message_blocks
		WHERE chat_id = $1::uuid AND block < (SELECT blocks FROM q)
			AND body LIKE (SELECT pattern FROM q)
		ORDER BY block DESC
	) b
	CROSS JOIN LATERAL (
		SELECT * FROM messages
		WHERE chat_id = $1::uuid AND seq > b.block * 512
			AND seq <= (b.block + 1) * 512 AND format = 0
			AND strpos(parley_fold(content),
			    (SELECT folded FROM q)) > 0
		ORDER BY seq DESC
	) m)
	LIMIT $3::bigint
) m
ORDER BY m.seq
