-- People as others see them, and presence.

-- name: session_users
-- The users of sessions whose tokens ($1, of the users $2) still hold, each with
-- its place among them.
SELECT i.ord, u.id, u.username, u.name, u.email, u.avatar_url, u.last_seen_at,
       t.expires_at, t.expires_at <= now() AS expired,
       coalesce(t.ended_at <= now(), false) AS ended
FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY
	AS i (token_id, user_id, ord)
JOIN tokens t ON t.id = i.token_id
JOIN users u ON u.id = t.user_id
WHERE t.user_id = i.user_id
ORDER BY i.ord

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
-- $1 the viewer, $2 the input (not blank). Six ways to match, the better first;
-- each person is found by the best alone, so that 50 of each are enough. Prefixes
-- are ranges of the ordered indexes (`beyond` lies behind all that begin with the
-- input), nicknames are the viewer's own. The two that cost most, text within
-- usernames and within names, are asked only when the others gave less than 50:
-- by trigrams or, where the input has none, by its characters and pairs.
WITH q AS MATERIALIZED (
	SELECT f AS folded, f || chr(1114111) AS beyond,
	       '%' || replace(replace(replace(f, '\', '\\'), '%', '\%'), '_', '\_')
	           || '%' AS pattern,
	       parley_has_trigrams(f) AS trigrams,
	       CASE WHEN char_length(f) = 1 THEN ARRAY[f] ELSE (
	           SELECT array_agg(substr(f, i, 2))
	           FROM generate_series(1, char_length(f) - 1) i) END AS grams
	FROM parley_fold($2::text) AS f
	WHERE f <> ''
), nicknamed AS MATERIALIZED (
	SELECT k.user_id, k.nickname_fold AS key,
	       starts_with(k.nickname_fold, q.folded) AS prefix
	FROM q, contacts k
	WHERE k.owner_id = $1::uuid AND strpos(k.nickname_fold, q.folded) > 0
), easy AS MATERIALIZED (
	(SELECT 0 AS rank, user_id AS id, key FROM nicknamed
		WHERE prefix ORDER BY key COLLATE "C", user_id LIMIT 50)
	UNION ALL (
		SELECT 1, id, username_key FROM users
		WHERE username_key COLLATE "C" >= (SELECT folded FROM q)
			AND username_key COLLATE "C" < (SELECT beyond FROM q)
			AND erased_at IS NULL
			AND id NOT IN (SELECT user_id FROM nicknamed WHERE prefix)
		ORDER BY username_key COLLATE "C" LIMIT 50)
	UNION ALL (
		SELECT 2, id, name_fold FROM users
		WHERE name_fold COLLATE "C" >= (SELECT folded FROM q)
			AND name_fold COLLATE "C" < (SELECT beyond FROM q)
			AND erased_at IS NULL
			AND NOT starts_with(username_key, (SELECT folded FROM q))
			AND id NOT IN (SELECT user_id FROM nicknamed WHERE prefix)
		ORDER BY name_fold COLLATE "C" LIMIT 50)
	UNION ALL (
		SELECT 3, n.user_id, n.key FROM nicknamed n
		CROSS JOIN LATERAL (
			SELECT * FROM users WHERE id = n.user_id OFFSET 0) u
		WHERE NOT n.prefix
			AND NOT starts_with(u.username_key, (SELECT folded FROM q))
			AND NOT starts_with(u.name_fold, (SELECT folded FROM q))
		LIMIT 50)
), within_username AS MATERIALIZED (
	SELECT 4 AS rank, u.id, u.username_key AS key FROM (
		SELECT * FROM users
		WHERE (SELECT trigrams FROM q)
			AND username_key LIKE (SELECT pattern FROM q)
		UNION ALL
		SELECT * FROM users
		WHERE NOT (SELECT trigrams FROM q)
			AND parley_grams(username_key) @> (SELECT grams FROM q)
			AND strpos(username_key, (SELECT folded FROM q)) > 0
	) u
	WHERE u.erased_at IS NULL AND (SELECT count(*) FROM easy) < 50
		AND u.id NOT IN (SELECT id FROM easy)
	LIMIT 50
), within_name AS MATERIALIZED (
	SELECT 5 AS rank, u.id, u.name_fold AS key FROM (
		SELECT * FROM users
		WHERE (SELECT trigrams FROM q)
			AND name_fold LIKE (SELECT pattern FROM q)
		UNION ALL
		SELECT * FROM users
		WHERE NOT (SELECT trigrams FROM q)
			AND parley_grams(name_fold) @> (SELECT grams FROM q)
			AND strpos(name_fold, (SELECT folded FROM q)) > 0
	) u
	WHERE u.erased_at IS NULL AND (SELECT count(*) FROM easy)
			+ (SELECT count(*) FROM within_username) < 50
		AND u.id NOT IN (SELECT id FROM easy)
		AND u.id NOT IN (SELECT id FROM within_username)
	LIMIT 50
), best AS (
	SELECT * FROM (
		SELECT * FROM easy
		UNION ALL SELECT * FROM within_username
		UNION ALL SELECT * FROM within_name
	) b
	ORDER BY b.rank, b.key COLLATE "C", b.id LIMIT 50
)
SELECT u.id, u.username, u.name, u.avatar_url, u.last_seen_at,
       k.user_id IS NOT NULL AS is_contact, k.nickname, k.added_at
FROM best b
JOIN users u ON u.id = b.id
LEFT JOIN contacts k ON k.owner_id = $1::uuid AND k.user_id = u.id
ORDER BY b.rank, b.key COLLATE "C", b.id

-- name: presence_apply
-- Applies what is not older than what was applied (the same again: its news may
-- have been lost) and tells who may know: those who have the user as a contact,
-- share a private chat, or a group of at most $5 members.
WITH moved AS (
	UPDATE users u
	SET online_version = i.version,
	    last_seen_at = CASE WHEN i.online THEN u.last_seen_at
	        ELSE greatest(u.last_seen_at, i.at) END
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
