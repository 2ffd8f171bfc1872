-- Pages of the past: get_messages, sync, typing, search.

-- name: history_chats
-- Which of $2 the user $1 is a member of (by place), and how far they go.
SELECT i.ord, c.last_seq
FROM unnest($2::uuid[]) WITH ORDINALITY AS i (id, ord)
JOIN members me ON me.chat_id = i.id AND me.user_id = $1::uuid
JOIN chats c ON c.id = i.id
ORDER BY i.ord

-- name: history_newer
-- Of each chat $2 in order the messages above $3, oldest first: at most $4, and
-- no more than began within the first $5 bytes of content.
SELECT m.id, m.chat_id, m.seq, m.sender_id, m.front_msg_id, m.format,
       m.content, m.filename, m.created_at, m.updated_at, m.deleted_at,
       s.username, s.name, s.avatar_url, k.nickname
FROM unnest($2::uuid[], $3::bigint[]) WITH ORDINALITY AS i (id, after_seq, ord)
JOIN members me ON me.chat_id = i.id AND me.user_id = $1::uuid
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
LEFT JOIN contacts k ON k.owner_id = $1::uuid AND k.user_id = m.sender_id
ORDER BY i.ord, m.seq

-- name: typing_members
-- For each pair of a chat $1 and its member $2, by place: all members. None: no
-- member.
SELECT i.ord, x.user_id
FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS i (chat_id, user_id, ord)
JOIN members me ON me.chat_id = i.chat_id AND me.user_id = i.user_id
JOIN members x ON x.chat_id = i.chat_id
ORDER BY i.ord

-- name: search_access
-- Whether there is the chat $2, and whether $1 is a member of it.
SELECT EXISTS (SELECT FROM chats WHERE id = $2::uuid),
       EXISTS (SELECT FROM members
	WHERE chat_id = $2::uuid AND user_id = $1::uuid)

-- name: search_messages
-- The newest $3 texts of chat $1 that hold $2, oldest first.
SELECT m.id, m.content, m.sender_id, m.created_at, m.seq
FROM (
	SELECT * FROM messages
	WHERE chat_id = $1::uuid AND format = 0
		AND strpos(parley_fold(content), parley_fold($2::text)) > 0
	ORDER BY seq DESC LIMIT $3::bigint
) m
ORDER BY m.seq
