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
-- $1 the viewer, $2 the input (not blank). Six classes, best first, each without
-- the people of those before it and each bounded: prefixes from the ordered
-- indexes, what stands inside from the trigram indexes, nicknames from the
-- viewer's contacts alone. Two characters have no trigram: they are looked for by
-- reading on until enough are found. What stands inside is looked for only when
-- the prefixes are not enough.
WITH q AS MATERIALIZED (
	SELECT f, f || chr(1114111) AS above, char_length(f) >= 3 AS indexed,
	       '%' || replace(replace(replace(f, '\', '\\'), '%', '\%'), '_',
	           '\_') || '%' AS inside
	FROM parley_fold($2::text) AS f
	WHERE f <> ''
), nick AS MATERIALIZED (
	SELECT k.user_id, starts_with(parley_fold(k.nickname), q.f) AS prefix
	FROM q, contacts k
	WHERE k.owner_id = $1::uuid
		AND strpos(parley_fold(k.nickname), q.f) > 0
), prefix AS MATERIALIZED (
	(SELECT user_id AS id, 0 AS rank FROM nick WHERE prefix LIMIT 50)
	UNION ALL
	(SELECT u.id, 1 FROM users u
	WHERE u.username_key COLLATE "C" >= (SELECT f FROM q)
		AND u.username_key COLLATE "C" < (SELECT above FROM q)
		AND u.id NOT IN (SELECT user_id FROM nick WHERE prefix)
	ORDER BY u.username_key COLLATE "C" LIMIT 50)
	UNION ALL
	(SELECT u.id, 2 FROM users u
	WHERE u.name_fold COLLATE "C" >= (SELECT f FROM q)
		AND u.name_fold COLLATE "C" < (SELECT above FROM q)
		AND NOT starts_with(u.username_key, (SELECT f FROM q))
		AND u.id NOT IN (SELECT user_id FROM nick WHERE prefix)
	ORDER BY u.name_fold COLLATE "C" LIMIT 50)
), inside AS MATERIALIZED (
	(SELECT user_id AS id, 3 AS rank FROM nick
	WHERE NOT prefix AND user_id NOT IN (SELECT id FROM prefix) LIMIT 50)
	UNION ALL
	(SELECT u.id, 4 FROM users u
	WHERE (SELECT indexed FROM q) AND (SELECT count(*) FROM prefix) < 50
		AND u.username_key LIKE (SELECT inside FROM q)
		AND NOT starts_with(u.username_key, (SELECT f FROM q))
		AND NOT starts_with(u.name_fold, (SELECT f FROM q))
		AND u.id NOT IN (SELECT user_id FROM nick)
	LIMIT 50)
	UNION ALL
	(SELECT u.id, 5 FROM users u
	WHERE (SELECT indexed FROM q) AND (SELECT count(*) FROM prefix) < 50
		AND u.name_fold LIKE (SELECT inside FROM q)
		AND strpos(u.username_key, (SELECT f FROM q)) = 0
		AND NOT starts_with(u.name_fold, (SELECT f FROM q))
		AND u.id NOT IN (SELECT user_id FROM nick)
	LIMIT 50)
	UNION ALL
	(SELECT u.id, CASE WHEN strpos(u.username_key, (SELECT f FROM q)) > 0
	    THEN 4 ELSE 5 END
	FROM users u
	WHERE (SELECT NOT indexed FROM q) AND (SELECT count(*) FROM prefix) < 50
		AND (strpos(u.username_key, (SELECT f FROM q)) > 0
			OR strpos(u.name_fold, (SELECT f FROM q)) > 0)
		AND NOT starts_with(u.username_key, (SELECT f FROM q))
		AND NOT starts_with(u.name_fold, (SELECT f FROM q))
		AND u.id NOT IN (SELECT user_id FROM nick)
	LIMIT 50)
)
SELECT u.id, u.username, u.name, u.avatar_url, u.last_seen_at,
       k.user_id IS NOT NULL AS is_contact, k.nickname, k.added_at
FROM (
	SELECT id, rank FROM prefix UNION ALL SELECT id, rank FROM inside
	ORDER BY rank LIMIT 50
) found
JOIN users u ON u.id = found.id
LEFT JOIN contacts k ON k.owner_id = $1::uuid AND k.user_id = u.id
ORDER BY found.rank, u.username_key

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
	RETURNING u.id, i.online, u.last_seen_at, i.version
)
SELECT m.id, m.online, m.last_seen_at, m.version, w.watcher
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
