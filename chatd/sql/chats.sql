-- Chats, their members, and what a session shows of them.

-- name: chats_lock
-- A statement of its own before what it guards: the next one's snapshot is then
-- taken with the locks held. Always in the order of the ids, so that two units
-- cannot wait for each other.
SELECT FROM chats WHERE id = ANY ($1::uuid[])
ORDER BY id FOR NO KEY UPDATE

-- name: private_chat_insert
-- $1 the asker, $2 the other (may be the same), $3 the new id, $4 the key.
-- Whoever inserts the chat inserts the members; who comes second waits here for
-- the first one's commit and does nothing.
WITH fresh AS (
	INSERT INTO chats (id, kind, private_key, created_by)
	SELECT $3::uuid, 0, $4::text, $1::uuid
	FROM users WHERE id = $2::uuid
	ON CONFLICT (private_key) DO NOTHING
	RETURNING id
)
INSERT INTO members (chat_id, user_id)
SELECT DISTINCT fresh.id, u.id
FROM fresh, unnest(ARRAY[$1::uuid, $2::uuid]) AS u (id)

-- name: private_chat_find
SELECT id FROM chats WHERE private_key = $1::text

-- name: chat_items
-- The chats of each of $1 as items of a list: all, or those of $2; of each viewer
-- the $3 with the newest activity at most, in any order: sorted here again, they
-- would wait for each other. The first column is the viewer's place in $1. `o` is
-- the second person of a private chat (oneself in a notes chat), or who wrote last
-- in a group, unless that is the viewer.
--
-- Hundreds of chats are read at once, and each look into an index costs as much as
-- all else of a row, so none is made for what another one told. Who wrote last in
-- a private chat and is not the viewer is the other; the state of what he wrote
-- (0 sent, 1 delivered, 2 read) follows from the viewer's own marks. Only for what
-- the viewer wrote, and for a chat without messages, the other's row is looked for.
-- Nicknames are looked up one by one for viewers who gave any. In groups anyone
-- who lags behind is asked for: in a large one he is soon found. A CASE that gives
-- null saves the look into an index; subqueries of their own (OFFSET 0) for the
-- other's row and for the nickname keep these from being read by half a key or
-- whole while the planner believes the tables small. That last_seq > 0 is said
-- twice keeps the plan from a Memoize, which would fill a table with what is never
-- asked again.
SELECT v.ord, c.active_at, c.id, c.kind, c.name, c.description, c.avatar_url,
       c.last_seq, c.joined_seq, c.delivered_seq, c.read_seq, c.own_unread,
       c.founder, c.version, o.id, o.username, o.name, o.avatar_url,
       CASE WHEN w.calls THEN (
           SELECT k.nickname FROM contacts k
           WHERE k.owner_id = w.id AND k.user_id = o.id) END AS nickname,
       m.id, m.sender_id, CASE WHEN octet_length(m.content) <= 200
           THEN m.content ELSE left(m.content, 200) END,
       m.format, m.filename, m.created_at,
       CASE WHEN m.sender_id = w.id THEN w.name END AS own_name,
       CASE
       WHEN c.kind = 0 THEN CASE
           WHEN (CASE WHEN m.sender_id = w.id THEN p.read_seq
               ELSE c.read_seq END < m.seq) IS NOT TRUE THEN 2
           WHEN m.seq <= c.announced_seq
               OR (CASE WHEN m.sender_id = w.id THEN p.delivered_seq
               ELSE c.delivered_seq END < m.seq) IS NOT TRUE THEN 1
           ELSE 0 END
       WHEN NOT EXISTS (SELECT FROM members x WHERE x.chat_id = c.id
           AND x.user_id <> m.sender_id AND x.read_seq < m.seq) THEN 2
       WHEN m.seq <= c.announced_seq
           OR NOT EXISTS (SELECT FROM members x WHERE x.chat_id = c.id
           AND x.user_id <> m.sender_id AND x.delivered_seq < m.seq) THEN 1
       ELSE 0
       END AS last_state
FROM unnest($1::uuid[]) WITH ORDINALITY v (id, ord)
CROSS JOIN LATERAL (
	SELECT u.id, u.name, EXISTS (SELECT FROM contacts k
		WHERE k.owner_id = u.id AND k.nickname IS NOT NULL) AS calls
	FROM users u WHERE u.id = v.id OFFSET 0
) w
CROSS JOIN LATERAL (
	SELECT c.id, c.kind, c.name, c.description, c.avatar_url, c.last_seq,
	       c.announced_seq, c.version, me.joined_seq, me.delivered_seq, me.read_seq,
	       me.own_unread, me.joined_at = c.created_at AS founder,
	       coalesce(c.last_message_at, c.created_at) AS active_at
	FROM members me JOIN chats c ON c.id = me.chat_id
	WHERE me.user_id = v.id
		AND ($2::uuid[] IS NULL OR me.chat_id = ANY ($2::uuid[]))
	ORDER BY active_at DESC, c.id DESC LIMIT $3::bigint
) c
LEFT JOIN messages m ON m.chat_id = c.id
	AND m.seq = CASE WHEN c.last_seq > 0 THEN c.last_seq END AND c.last_seq > 0
LEFT JOIN LATERAL (
	SELECT x.user_id, x.delivered_seq, x.read_seq FROM members x
	WHERE x.chat_id = CASE WHEN c.kind = 0
			AND (m.sender_id <> w.id) IS NOT TRUE THEN c.id END
		AND x.user_id <> w.id OFFSET 0
) p ON true
LEFT JOIN users o ON o.id = CASE
	WHEN m.sender_id <> w.id THEN m.sender_id
	WHEN c.kind = 0 THEN coalesce(p.user_id, w.id) END
ORDER BY v.ord

-- name: chat_members
-- Members of chat $2 with the nicknames that viewer $1 gave them.
SELECT u.id, u.username, u.name, u.avatar_url, u.last_seen_at, k.nickname,
       x.role, x.last_read_at, x.delivered_seq, x.read_seq
FROM members x
JOIN users u ON u.id = x.user_id
LEFT JOIN LATERAL (
	SELECT c.nickname FROM contacts c
	WHERE c.owner_id = $1::uuid AND c.user_id = x.user_id LIMIT 1
) k ON true
WHERE x.chat_id = $2::uuid
ORDER BY x.joined_at, x.user_id

-- name: chat_page
-- The last $4 messages of chat $2 below seq $3, oldest first, as $1 sees them.
SELECT m.id, m.chat_id, m.seq, m.sender_id, m.front_msg_id, m.format,
       m.content, m.filename, m.created_at, m.updated_at, m.deleted_at,
       s.username, s.name, s.avatar_url, k.nickname
FROM (
	SELECT * FROM messages
	WHERE chat_id = $2::uuid AND seq < $3::bigint
	ORDER BY seq DESC LIMIT $4::bigint
) m
LEFT JOIN users s ON s.id = m.sender_id
LEFT JOIN LATERAL (
	SELECT c.nickname FROM contacts c
	WHERE c.owner_id = $1::uuid AND c.user_id = m.sender_id LIMIT 1
) k ON true
ORDER BY m.seq
