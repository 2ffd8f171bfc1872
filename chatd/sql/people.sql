-- People as others see them, and presence.

-- name: session_user
-- The user of a session, if its token ($1) still holds.
SELECT u.id, u.username, u.name, u.email, u.avatar_url, u.last_seen_at,
       t.expires_at, t.expires_at <= now() AS expired,
       coalesce(t.ended_at <= now(), false) AS ended
FROM tokens t JOIN users u ON u.id = t.user_id
WHERE t.id = $1::uuid AND t.user_id = $2::uuid

-- name: person
-- $1 the viewer, $2 the person, $3 the key of their private chat
SELECT u.id, u.username, u.name, u.avatar_url, u.last_seen_at,
       k.user_id IS NOT NULL AS is_contact, k.nickname, k.added_at,
       c.id AS private_chat_id
FROM users u
LEFT JOIN contacts k ON k.owner_id = $1::uuid AND k.user_id = u.id
LEFT JOIN chats c ON c.private_key = $3::text
WHERE u.id = $2::uuid

-- name: people_search
-- $1 the viewer, $2 the input (not blank). Folded once; `like` is the input
-- with LIKE's own characters escaped. Candidates by username and name come from
-- the trigram indexes, those by nickname from the viewer's contacts alone.
WITH q AS MATERIALIZED (
	SELECT f AS folded,
	       replace(replace(replace(f, '\', '\\'), '%', '\%'), '_', '\_')
	           AS pattern
	FROM parley_fold($2::text) AS f
), candidate AS (
	SELECT u.id FROM q, users u
	WHERE parley_fold(u.username) LIKE '%' || q.pattern || '%'
	UNION
	SELECT u.id FROM q, users u
	WHERE parley_fold(u.name) LIKE '%' || q.pattern || '%'
	UNION
	SELECT k.user_id FROM q, contacts k
	WHERE k.owner_id = $1::uuid
		AND parley_fold(k.nickname) LIKE '%' || q.pattern || '%'
), ranked AS (
	SELECT u.id, u.username, u.name, u.avatar_url, u.last_seen_at,
	       k.user_id IS NOT NULL AS is_contact, k.nickname, k.added_at,
	       CASE
	       WHEN starts_with(parley_fold(k.nickname), q.folded) THEN 0
	       WHEN starts_with(parley_fold(u.username), q.folded) THEN 1
	       WHEN starts_with(parley_fold(u.name), q.folded) THEN 2
	       WHEN strpos(parley_fold(k.nickname), q.folded) > 0 THEN 3
	       WHEN strpos(parley_fold(u.username), q.folded) > 0 THEN 4
	       ELSE 5
	       END AS rank
	FROM q, candidate
	JOIN users u ON u.id = candidate.id
	LEFT JOIN contacts k ON k.owner_id = $1::uuid AND k.user_id = u.id
)
SELECT id, username, name, avatar_url, last_seen_at, is_contact, nickname,
       added_at
FROM ranked ORDER BY rank, username LIMIT 50

-- name: presence_apply
-- Applies what is not older than what was applied (the same again: its news may
-- have been lost) and tells who may know: those who have the user as a contact,
-- share a private chat, or a group of at most $5 members.
WITH moved AS (
	UPDATE users u
	SET online_version = i.version,
	    last_seen_at = CASE WHEN i.online THEN u.last_seen_at ELSE i.at END
	FROM unnest($1::uuid[], $2::smallint[], $3::timestamptz[], $4::bigint[])
		AS t (id, up, at, version)
	CROSS JOIN LATERAL (SELECT t.id, t.up = 1 AS online, t.at, t.version) i
	WHERE u.id = i.id AND u.online_version <= i.version
	RETURNING u.id, i.online, u.last_seen_at
)
SELECT m.id, m.online, m.last_seen_at, w.watcher
FROM moved m CROSS JOIN LATERAL (
	SELECT k.owner_id AS watcher FROM contacts k WHERE k.user_id = m.id
	UNION
	SELECT x.user_id
	FROM members me
	JOIN chats c ON c.id = me.chat_id
	JOIN members x ON x.chat_id = c.id
	WHERE me.user_id = m.id AND (c.kind = 0 OR (
		SELECT count(*) FROM (
			SELECT FROM members y WHERE y.chat_id = c.id
			LIMIT $5::integer + 1) z) <= $5::integer)
	LIMIT 20000
) w
WHERE w.watcher <> m.id
ORDER BY m.id
