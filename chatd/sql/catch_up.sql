-- What a session missed. $1 is the user, $2 the chats the session named.

-- name: catch_up_mine
-- Which of the named chats the user is a member of, and how far they go.
SELECT chat_id, (SELECT c.last_seq FROM chats c WHERE c.id = chat_id)
FROM members
WHERE user_id = $1::uuid AND chat_id = ANY ($2::uuid[])

-- name: catch_up_messages
-- $3, $4: after which seq, and whether the session knows the chat; of chats it
-- does not know, all since the joining. $5: chats it did not name. In all at
-- most $6.
SELECT m.id, m.chat_id, m.seq, m.sender_id, m.front_msg_id, m.format,
       m.content, m.filename, m.created_at, m.updated_at, m.deleted_at,
       s.username, s.name, s.avatar_url, k.nickname
FROM (
	SELECT me.chat_id,
	       CASE WHEN i.known = 1 THEN i.after_seq ELSE me.joined_seq END
	           AS after_seq, i.ord
	FROM unnest($2::uuid[], $3::bigint[], $4::smallint[]) WITH ORDINALITY
		AS i (id, after_seq, known, ord)
	CROSS JOIN LATERAL (
		SELECT x.chat_id, x.joined_seq FROM members x
		WHERE x.chat_id = i.id AND x.user_id = $1::uuid LIMIT 1
	) me
	UNION ALL
	SELECT me.chat_id, me.joined_seq, 1000000 + i.ord
	FROM unnest($5::uuid[]) WITH ORDINALITY AS i (id, ord)
	CROSS JOIN LATERAL (
		SELECT x.chat_id, x.joined_seq FROM members x
		WHERE x.chat_id = i.id AND x.user_id = $1::uuid LIMIT 1
	) me
) t
CROSS JOIN LATERAL (
	SELECT * FROM messages m
	WHERE m.chat_id = t.chat_id AND m.seq > t.after_seq
	ORDER BY m.seq LIMIT $6::bigint
) m
LEFT JOIN users s ON s.id = m.sender_id
LEFT JOIN LATERAL (
	SELECT c.nickname FROM contacts c
	WHERE c.owner_id = $1::uuid AND c.user_id = m.sender_id LIMIT 1
) k ON true
ORDER BY t.ord, m.seq LIMIT $6::bigint

-- name: catch_up_marks
-- The members that hold least and have read least of the chats $1.
SELECT t.id, x.user_id, x.delivered_seq, x.read_seq
FROM unnest($1::uuid[]) AS t (id) CROSS JOIN LATERAL (
	(SELECT user_id, delivered_seq, read_seq FROM members
	WHERE chat_id = t.id ORDER BY delivered_seq LIMIT 2)
	UNION
	(SELECT user_id, delivered_seq, read_seq FROM members
	WHERE chat_id = t.id ORDER BY read_seq LIMIT 2)
) x
ORDER BY t.id

-- name: catch_up_reads
-- Who has read in the user's chats within the last $2 ms.
SELECT x.chat_id, x.user_id, x.read_seq
FROM members me JOIN members x ON x.chat_id = me.chat_id
WHERE me.user_id = $1::uuid AND x.user_id <> $1::uuid
	AND x.last_read_at > now() - $2::bigint * interval '1 millisecond'
ORDER BY x.last_read_at DESC LIMIT 1000

-- name: catch_up_own_reads
-- What the user, by another session, has read within the last $2 ms, and how much
-- is unread now.
SELECT me.chat_id, me.read_seq, c.last_seq - me.read_seq - me.own_unread
FROM members me JOIN chats c ON c.id = me.chat_id
WHERE me.user_id = $1::uuid
	AND me.last_read_at > now() - $2::bigint * interval '1 millisecond'
ORDER BY me.last_read_at DESC LIMIT 1000

-- name: catch_up_delivered
-- The user's own messages, among the last 500 of each chat in which something
-- was announced within the last $2 ms, that are delivered and not yet read.
SELECT c.id, m.seq, m.id
FROM members me
JOIN chats c ON c.id = me.chat_id
CROSS JOIN LATERAL (
	SELECT min(x.delivered_seq) AS delivered_seq, min(x.read_seq) AS read_seq
	FROM members x WHERE x.chat_id = c.id AND x.user_id <> $1::uuid
) w
CROSS JOIN LATERAL (
	SELECT m.seq, m.id, m.sender_id FROM messages m
	WHERE m.chat_id = c.id AND m.seq > w.read_seq
		AND m.seq > c.last_seq - 500 AND m.seq <= w.delivered_seq
	ORDER BY m.seq LIMIT 500
) m
WHERE me.user_id = $1::uuid AND m.sender_id = $1::uuid
	AND c.announced_at > now() - $2::bigint * interval '1 millisecond'
ORDER BY c.id, m.seq LIMIT 2000

-- name: catch_up_statuses
-- Whose presence has changed within the last $2 ms, of those about whom user $1
-- may know: contacts, who shares a private chat, or a group of at most $3 members.
-- A version is the time of the change in microseconds (by Redis's clock).
SELECT u.id, u.last_seen_at
FROM (
	SELECT k.user_id AS id FROM contacts k WHERE k.owner_id = $1::uuid
	UNION
	SELECT x.user_id
	FROM members me
	JOIN chats c ON c.id = me.chat_id
	JOIN members x ON x.chat_id = c.id
	WHERE me.user_id = $1::uuid AND (c.kind = 0 OR (
		SELECT count(*) FROM (
			SELECT FROM members y WHERE y.chat_id = c.id
			LIMIT $3::integer + 1) z) <= $3::integer)
	LIMIT 20000
) w
CROSS JOIN LATERAL (
	SELECT p.id, p.last_seen_at, p.online_version FROM users p
	WHERE p.id = w.id LIMIT 1
) u
WHERE u.id <> $1::uuid AND u.online_version >
	(extract(epoch FROM now()) * 1000 - $2::bigint) * 1000
ORDER BY u.online_version DESC LIMIT 500

-- name: catch_up_changes
-- What of the groups $2 has changed since the versions $3, and who changed it last:
-- of the first $4 groups of which that is so. For the members the member $1 is
-- to be shown, what chat_members gives follows in catch_up_members.
SELECT c.id, c.version, g.kind, g.user_id, c.name, c.description, c.avatar_url
FROM (
	SELECT c.id, c.version, c.name, c.description, c.avatar_url,
	       i.version AS known, i.ord
	FROM unnest($2::uuid[], $3::integer[]) WITH ORDINALITY
		AS i (id, version, ord)
	CROSS JOIN LATERAL (
		SELECT FROM members x
		WHERE x.chat_id = i.id AND x.user_id = $1::uuid LIMIT 1
	) me
	JOIN chats c ON c.id = i.id AND c.version > i.version
	ORDER BY i.ord LIMIT $4::bigint
) c
JOIN group_changes g ON g.chat_id = c.id AND g.version > c.known
ORDER BY c.ord, g.kind DESC

-- name: catch_up_members
-- The members of those groups whose members have changed, as $1 sees them: rows as
-- of chat_members, the chat's id behind.
SELECT u.id, u.username, u.name, u.avatar_url, u.last_seen_at, k.nickname,
       x.role, x.last_read_at, x.delivered_seq, x.read_seq, c.id
FROM (
	SELECT c.id, c.version, c.name, c.description, c.avatar_url,
	       i.version AS known, i.ord
	FROM unnest($2::uuid[], $3::integer[]) WITH ORDINALITY
		AS i (id, version, ord)
	CROSS JOIN LATERAL (
		SELECT FROM members x
		WHERE x.chat_id = i.id AND x.user_id = $1::uuid LIMIT 1
	) me
	JOIN chats c ON c.id = i.id AND c.version > i.version
	ORDER BY i.ord LIMIT $4::bigint
) c
JOIN group_changes g ON g.chat_id = c.id AND g.kind = 3 AND g.version > c.known
JOIN members x ON x.chat_id = c.id
JOIN users u ON u.id = x.user_id
LEFT JOIN LATERAL (
	SELECT c.nickname FROM contacts c
	WHERE c.owner_id = $1::uuid AND c.user_id = x.user_id LIMIT 1
) k ON true
ORDER BY c.ord, x.joined_at, x.user_id
