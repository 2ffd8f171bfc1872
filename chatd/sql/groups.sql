-- Groups. What changes one begins with chats_lock; each statement behind it
-- decides for itself whether the asker may, so that a change is one round trip
-- and holds its lock for no longer.

-- name: group_insert
-- $1 the creator, $2 the new id, $3 the request's id or null, $4 name,
-- $5 description, $6 picture, $7 everyone in it, each once. Nothing when one of
-- them does not exist, or when the request was fulfilled before: who comes second
-- waits here for the first one's commit.
WITH people AS MATERIALIZED (
	SELECT u.id FROM users u WHERE u.id = ANY ($7::uuid[])
), fresh AS (
	INSERT INTO chats (id, kind, name, description, avatar_url, created_by,
		create_request_id)
	SELECT $2::uuid, 1, $4::text, $5::text, $6::text, $1::uuid, $3::text
	WHERE (SELECT count(*) FROM people) = cardinality($7::uuid[])
	ON CONFLICT DO NOTHING
	RETURNING id
)
INSERT INTO members (chat_id, user_id, role)
SELECT fresh.id, people.id, CASE WHEN people.id = $1::uuid THEN 1 ELSE 0 END
FROM fresh, people

-- name: group_find
-- The group of that id, or of the creator's earlier request of that id.
SELECT id FROM chats WHERE id = $2::uuid
UNION
SELECT id FROM chats
WHERE created_by = $1::uuid AND create_request_id = $3::text

-- name: group_rights
-- What chat $1 is, and what $2 is in it (null: no member).
SELECT c.kind, me.role
FROM chats c
LEFT JOIN members me ON me.chat_id = c.id AND me.user_id = $2::uuid
WHERE c.id = $1::uuid

-- name: group_change
-- By admin $2; what is null stays. Gives the change's number.
WITH changed AS (
	UPDATE chats c
	SET name = coalesce($3::text, c.name),
	    description = coalesce($4::text, c.description),
	    avatar_url = coalesce($5::text, c.avatar_url),
	    version = c.version + 1
	WHERE c.id = $1::uuid AND c.kind = 1 AND EXISTS (
		SELECT FROM members me WHERE me.chat_id = $1::uuid
			AND me.user_id = $2::uuid AND me.role = 1)
	RETURNING c.id, c.version
), noted AS (
	INSERT INTO group_changes (chat_id, kind, version, user_id)
	SELECT changed.id, CASE WHEN $3::text IS NOT NULL THEN 0
	           WHEN $4::text IS NOT NULL THEN 1 ELSE 2 END,
	       changed.version, $2::uuid
	FROM changed
	ON CONFLICT (chat_id, kind) DO UPDATE
	SET version = excluded.version, user_id = excluded.user_id
)
SELECT version FROM changed

-- name: group_give_admin
-- By admin $2 to member $3. Gives the change's number.
WITH raised AS (
	UPDATE members x SET role = 1
	FROM chats c
	WHERE c.id = $1::uuid AND c.kind = 1
		AND x.chat_id = c.id AND x.user_id = $3::uuid AND EXISTS (
		SELECT FROM members me WHERE me.chat_id = $1::uuid
			AND me.user_id = $2::uuid AND me.role = 1)
	RETURNING x.chat_id
), changed AS (
	UPDATE chats c SET version = c.version + 1
	FROM raised WHERE c.id = raised.chat_id
	RETURNING c.id, c.version
), noted AS (
	INSERT INTO group_changes (chat_id, kind, version, user_id)
	SELECT changed.id, 3, changed.version, $2::uuid FROM changed
	ON CONFLICT (chat_id, kind) DO UPDATE
	SET version = excluded.version, user_id = excluded.user_id
)
SELECT version FROM changed

-- name: group_member
-- A row as of chat_members: member $2, without anyone's nickname.
SELECT u.id, u.username, u.name, u.avatar_url, u.last_seen_at,
       NULL::text AS nickname,
       x.role, x.last_read_at, x.delivered_seq, x.read_seq
FROM members x
JOIN users u ON u.id = x.user_id
WHERE x.chat_id = $1::uuid AND x.user_id = $2::uuid

-- name: group_called
-- Everyone in chat $1, what they call person $2, and how far they have read.
SELECT x.user_id, k.nickname, x.read_seq
FROM members x
LEFT JOIN contacts k ON k.owner_id = x.user_id AND k.user_id = $2::uuid
WHERE x.chat_id = $1::uuid
ORDER BY x.user_id

-- name: group_nicknames
-- What members of $1 call each other, and the sender of its last message, where
-- they gave a nickname.
SELECT k.owner_id, k.user_id, k.nickname
FROM members x
JOIN contacts k ON k.owner_id = x.user_id
WHERE x.chat_id = $1::uuid AND k.nickname IS NOT NULL AND (
	EXISTS (SELECT FROM members y
		WHERE y.chat_id = $1::uuid AND y.user_id = k.user_id)
	OR k.user_id = (SELECT m.sender_id FROM chats c
		JOIN messages m ON m.chat_id = c.id AND m.seq = c.last_seq
		WHERE c.id = $1::uuid))
ORDER BY k.owner_id, k.user_id

-- name: group_add
-- $1 chat, $2 the asker, $3 who is to be in it, each once, $4 most members. What
-- was before the joining counts as delivered and read. Whom a lone member was
-- writing to was nobody, so nothing of it is left to announce. At least one row:
-- whether all of $3 exist, whether they fit, the number of the change (the last
-- one where nobody is new), and who is new.
WITH people AS MATERIALIZED (
	SELECT u.id, EXISTS (SELECT FROM members x WHERE x.chat_id = $1::uuid
		AND x.user_id = u.id) AS inside
	FROM users u WHERE u.id = ANY ($3::uuid[])
), verdict AS MATERIALIZED (
	SELECT c.id, c.last_seq, c.version, t.inside_n,
	       p.people_n = cardinality($3::uuid[]) AS known,
	       t.inside_n + p.fresh_n <= $4::bigint AS fits
	FROM chats c,
		(SELECT count(*) AS people_n,
		        count(*) FILTER (WHERE NOT inside) AS fresh_n
		FROM people) p,
		(SELECT count(*) AS inside_n FROM members x
		WHERE x.chat_id = $1::uuid) t
	WHERE c.id = $1::uuid AND c.kind = 1 AND EXISTS (
		SELECT FROM members me WHERE me.chat_id = $1::uuid
			AND me.user_id = $2::uuid AND me.role = 1)
), joined AS (
	INSERT INTO members (chat_id, user_id, joined_at, joined_seq,
		delivered_seq, read_seq)
	SELECT v.id, p.id, statement_timestamp(), v.last_seq, v.last_seq,
	       v.last_seq
	FROM verdict v, people p
	WHERE v.known AND v.fits AND NOT p.inside
	RETURNING user_id, joined_seq
), changed AS (
	UPDATE chats c
	SET announced_seq = CASE WHEN v.inside_n = 1 THEN v.last_seq
	        ELSE c.announced_seq END,
	    version = c.version + 1
	FROM verdict v
	WHERE c.id = v.id AND EXISTS (SELECT FROM joined)
	RETURNING c.id, c.version
), noted AS (
	INSERT INTO group_changes (chat_id, kind, version, user_id)
	SELECT changed.id, 3, changed.version, $2::uuid FROM changed
	ON CONFLICT (chat_id, kind) DO UPDATE
	SET version = excluded.version, user_id = excluded.user_id
)
SELECT v.known, v.fits, coalesce(n.version, v.version), j.user_id, j.joined_seq
FROM verdict v LEFT JOIN changed n ON true LEFT JOIN joined j ON true

-- name: group_remove
-- Member $3 by admin $2, or by himself. When no admin is left, the member of
-- longest standing is one from now on: a change of its own. Gives the number of
-- the (first) change.
WITH gone AS (
	DELETE FROM members x
	USING chats c, members me
	WHERE c.id = $1::uuid AND c.kind = 1
		AND me.chat_id = c.id AND me.user_id = $2::uuid
		AND (me.role = 1 OR me.user_id = $3::uuid)
		AND x.chat_id = c.id AND x.user_id = $3::uuid
	RETURNING x.role, x.read_seq, c.last_seq
), heir AS (
	UPDATE members x SET role = 1
	FROM (
		SELECT y.user_id FROM members y
		WHERE y.chat_id = $1::uuid AND y.user_id <> $3::uuid
		ORDER BY y.joined_at, y.user_id LIMIT 1
	) o, gone
	WHERE x.chat_id = $1::uuid AND x.user_id = o.user_id AND gone.role = 1
		AND NOT EXISTS (SELECT FROM members a
			WHERE a.chat_id = $1::uuid AND a.role = 1
			AND a.user_id <> $3::uuid)
	RETURNING x.user_id
), changed AS (
	UPDATE chats c
	SET version = c.version + 1 + (SELECT count(*)::integer FROM heir)
	FROM gone WHERE c.id = $1::uuid
	RETURNING c.id, c.version
), noted AS (
	INSERT INTO group_changes (chat_id, kind, version, user_id)
	SELECT changed.id, 3, changed.version, $2::uuid FROM changed
	ON CONFLICT (chat_id, kind) DO UPDATE
	SET version = excluded.version, user_id = excluded.user_id
)
SELECT gone.last_seq, gone.read_seq, heir.user_id,
       changed.version - (SELECT count(*)::integer FROM heir)
FROM gone CROSS JOIN changed LEFT JOIN heir ON true

-- name: group_alone
-- Rows as of receipts_announce, when one member is left: with nobody to wait for,
-- all that he has sent is read. At most the newest $2 seqs.
WITH last AS MATERIALIZED (
	SELECT c.id, x.user_id,
	       greatest(c.announced_seq, x.announced_seq,
	           c.last_seq - $2::bigint) AS floor
	FROM chats c JOIN members x ON x.chat_id = c.id
	WHERE c.id = $1::uuid AND c.kind = 1 AND 1 = (
		SELECT count(*) FROM members y WHERE y.chat_id = $1::uuid)
), chat_moved AS (
	UPDATE chats c
	SET announced_seq = c.last_seq, announced_at = statement_timestamp()
	FROM last WHERE c.id = last.id AND c.announced_seq < c.last_seq
)
SELECT last.id, false AS more, m.sender_id, m.seq, m.id
FROM last
JOIN messages m ON m.chat_id = last.id AND m.seq > last.floor
	AND m.sender_id = last.user_id
ORDER BY m.seq

-- name: group_bury
-- A group that nobody is in any more.
WITH gone AS (
	DELETE FROM chats c
	WHERE c.id = $1::uuid AND c.kind = 1 AND NOT EXISTS (
		SELECT FROM members x WHERE x.chat_id = $1::uuid)
	RETURNING c.id
)
INSERT INTO emptied_groups (chat_id) SELECT id FROM gone
ON CONFLICT DO NOTHING

-- name: groups_purge
-- Messages of emptied groups, a bounded number at a time.
DELETE FROM messages m
USING (
	SELECT o.chat_id, o.seq
	FROM emptied_groups e
	CROSS JOIN LATERAL (
		SELECT m.chat_id, m.seq FROM messages m
		WHERE m.chat_id = e.chat_id ORDER BY m.seq LIMIT $1::bigint
	) o
	LIMIT $1::bigint
) t
WHERE m.chat_id = t.chat_id AND m.seq = t.seq

-- name: groups_forget
DELETE FROM emptied_groups e
WHERE (SELECT m.seq FROM messages m
	WHERE m.chat_id = e.chat_id ORDER BY m.seq LIMIT 1) IS NULL
