-- Sends and receipts. Each unit here begins with chats_lock.
--
-- Rows that are looked up by a pair of ids stand in a LATERAL with LIMIT 1. In a
-- plain join the planner may take the first id from one place and the second as a
-- filter behind it, which costs it the same as long as it believes the table
-- small, and then reads all that a sender ever wrote for each send.

-- name: messages_insert
-- One batch of sends, in the order they came, and what it led to, by place: the
-- stored message (`fresh`), or the one that (sender, front_msg_id) had before. Who
-- is no member has no row. An earlier message's own content is told, since the
-- send's may differ. The clock is read under the lock, so that times do not run
-- against the order.
WITH sends AS MATERIALIZED (
	SELECT i.*, e.id AS earlier_id, e.chat_id AS earlier_chat,
	       e.seq AS earlier_seq, e.created_at, e.updated_at, e.deleted_at,
	       e.format AS earlier_format, e.content AS earlier_content,
	       e.filename AS earlier_filename,
	       c.last_seq + count(*) FILTER (WHERE e.id IS NULL)
	           OVER (PARTITION BY i.chat_id ORDER BY i.ord
	           ROWS UNBOUNDED PRECEDING) AS seq
	FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[],
		$5::smallint[], $6::text[], $7::text[]) WITH ORDINALITY
		AS i (id, chat_id, sender_id, front_msg_id, format, content,
		filename, ord)
	LEFT JOIN LATERAL (
		SELECT m.* FROM messages m
		WHERE m.sender_id = i.sender_id
			AND m.front_msg_id = i.front_msg_id LIMIT 1
	) e ON true
	LEFT JOIN LATERAL (
		SELECT c.last_seq FROM chats c, members x
		WHERE c.id = i.chat_id
			AND x.chat_id = i.chat_id AND x.user_id = i.sender_id
		LIMIT 1
	) c ON true
	WHERE c.last_seq IS NOT NULL OR e.id IS NOT NULL
), stored AS (
	INSERT INTO messages (chat_id, seq, id, sender_id, front_msg_id, format,
		content, filename, created_at)
	SELECT chat_id, seq, id, sender_id, front_msg_id, format, content,
	       filename, statement_timestamp()
	FROM sends WHERE earlier_id IS NULL
), chats_moved AS (
	UPDATE chats c
	SET last_seq = t.top, last_message_at = statement_timestamp()
	FROM (
		SELECT chat_id, max(seq) AS top FROM sends
		WHERE earlier_id IS NULL GROUP BY chat_id
	) t
	WHERE c.id = t.chat_id
), members_moved AS (
	UPDATE members x SET own_unread = x.own_unread + t.n
	FROM (
		SELECT chat_id, sender_id, count(*)::integer AS n FROM sends
		WHERE earlier_id IS NULL GROUP BY chat_id, sender_id
	) t
	WHERE x.chat_id = t.chat_id AND x.user_id = t.sender_id
)
SELECT i.ord, i.earlier_id IS NULL OR i.earlier_id = i.id AS fresh,
       coalesce(i.earlier_id, i.id), coalesce(i.earlier_chat, i.chat_id),
       coalesce(i.earlier_seq, i.seq),
       coalesce(i.created_at, statement_timestamp()), i.updated_at,
       i.deleted_at, coalesce(i.earlier_format, i.format), i.earlier_content,
       CASE WHEN i.earlier_id IS NULL THEN i.filename ELSE i.earlier_filename END,
       s.username, s.name, s.avatar_url
FROM sends i
CROSS JOIN LATERAL (
	SELECT u.username, u.name, u.avatar_url FROM users u
	WHERE u.id = i.sender_id LIMIT 1
) s
ORDER BY i.ord

-- name: messages_recipients
-- Members of the chats $1.
SELECT x.chat_id, x.user_id, x.joined_seq, x.delivered_seq, x.read_seq
FROM members x WHERE x.chat_id = ANY ($1::uuid[])
ORDER BY x.chat_id, x.user_id

-- name: messages_nicknames
-- What members of the chats $1 call who wrote there ($2, by place), where they
-- gave them a nickname.
SELECT DISTINCT k.owner_id, k.user_id, k.nickname
FROM (
	SELECT DISTINCT chat_id, sender_id
	FROM unnest($1::uuid[], $2::uuid[]) AS i (chat_id, sender_id)
) t
JOIN members x ON x.chat_id = t.chat_id
CROSS JOIN LATERAL (
	SELECT c.owner_id, c.user_id, c.nickname FROM contacts c
	WHERE c.owner_id = x.user_id AND c.user_id = t.sender_id
		AND c.nickname IS NOT NULL LIMIT 1
) k
ORDER BY k.owner_id, k.user_id

-- name: receipts_apply
-- Members hold their chats up to $3; never backwards, never beyond the chat. The
-- chats stand in a query of their own, or the planner joins them to the members
-- first, and so reads all members of a group for each mark.
UPDATE members x SET delivered_seq = i.upto
FROM (
	SELECT i.chat_id, i.user_id, least(i.upto, c.last_seq) AS upto
	FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS i (chat_id, user_id,
		upto)
	CROSS JOIN LATERAL (
		SELECT c.last_seq FROM chats c WHERE c.id = i.chat_id LIMIT 1
	) c
	OFFSET 0
) i
WHERE x.chat_id = i.chat_id AND x.user_id = i.user_id
	AND x.delivered_seq < i.upto

-- name: receipts_announce
-- What has newly become delivered in the chats $1: held by every member but its
-- own sender. With `lowest` the least any member holds and `second` the least
-- but one, that is: all up to `lowest`, and those of the laggard (`owner`)
-- himself up to `second`. chats.announced_seq follows the first and the
-- laggard's members.announced_seq the second, so each message is looked at once
-- and named once. At most $2 seqs a chat and range; `more` when cut short.
WITH low AS (
	SELECT c.id, c.announced_seq AS floor, l.lowest, l.second,
	       l.users[1] AS owner, l.announced[1] AS owner_announced
	FROM chats c CROSS JOIN LATERAL (
		SELECT min(x.delivered_seq) AS lowest, max(x.delivered_seq) AS second,
		       array_agg(x.user_id) AS users,
		       array_agg(x.announced_seq) AS announced
		FROM (
			SELECT delivered_seq, user_id, announced_seq FROM members
			WHERE chat_id = c.id
			ORDER BY delivered_seq, user_id LIMIT 2
		) x
		HAVING count(*) = 2
	) l
	WHERE c.id = ANY ($1::uuid[]) AND l.second > c.announced_seq
), span AS MATERIALIZED (
	SELECT r.*, r.floor_to < r.lowest OR r.owner_to < r.second AS more
	FROM (
		SELECT low.*,
		       greatest(least(low.lowest, low.floor + $2::bigint), low.floor)
		           AS floor_to,
		       greatest(low.floor, low.owner_announced) AS owner_from,
		       greatest(low.floor, low.owner_announced, least(low.second,
		           greatest(low.floor, low.owner_announced) + $2::bigint))
		           AS owner_to
		FROM low
	) r
), named AS MATERIALIZED (
	SELECT s.id AS chat_id, s.more, m.seq, m.id, m.sender_id
	FROM span s
	CROSS JOIN LATERAL (
		SELECT m.seq, m.id, m.sender_id FROM messages m
		WHERE m.chat_id = s.id AND m.seq > s.floor AND m.seq <= s.floor_to
		ORDER BY m.seq LIMIT $2::bigint
	) m
	JOIN members f ON f.chat_id = s.id AND f.user_id = m.sender_id
		AND f.announced_seq < m.seq
	UNION ALL
	SELECT s.id, s.more, m.seq, m.id, m.sender_id
	FROM span s
	CROSS JOIN LATERAL (
		SELECT m.seq, m.id, m.sender_id FROM messages m
		WHERE m.chat_id = s.id
			AND m.seq > greatest(s.owner_from, s.floor_to)
			AND m.seq <= s.owner_to
		ORDER BY m.seq LIMIT $2::bigint
	) m
	WHERE m.sender_id = s.owner
), chats_moved AS (
	UPDATE chats c
	SET announced_seq = s.floor_to,
	    announced_at = CASE WHEN s.names THEN statement_timestamp()
	        ELSE c.announced_at END
	FROM (
		SELECT id, floor, floor_to,
		       id IN (SELECT chat_id FROM named) AS names
		FROM span OFFSET 0
	) s
	WHERE c.id = s.id AND (s.floor_to > s.floor OR s.names)
), owner_moved AS (
	UPDATE members x SET announced_seq = s.owner_to
	FROM span s
	WHERE x.chat_id = s.id AND x.user_id = s.owner
		AND s.owner_to > greatest(s.owner_announced, s.floor_to)
)
SELECT chat_id, more, sender_id, seq, id FROM named
UNION ALL
SELECT id, more, NULL, NULL, NULL FROM span WHERE more
ORDER BY 1, 3, 4

-- name: chat_read_apply
-- $1 chat, $2 reader, $3 up to which seq (0: all). One row for a member: what
-- was unread before and after, and whether anything moved.
WITH me AS MATERIALIZED (
	SELECT x.chat_id, x.user_id, x.read_seq, x.own_unread, c.last_seq,
	       greatest(x.read_seq, CASE WHEN $3::bigint > 0
	           THEN least($3::bigint, c.last_seq) ELSE c.last_seq END) AS upto
	FROM members x JOIN chats c ON c.id = x.chat_id
	WHERE x.chat_id = $1::uuid AND x.user_id = $2::uuid
), own AS MATERIALIZED (
	SELECT me.*, CASE WHEN me.upto = me.last_seq OR me.own_unread = 0 THEN 0
	       ELSE (SELECT count(*)::integer FROM (
	           SELECT m.sender_id FROM messages m
	           WHERE m.chat_id = me.chat_id AND m.seq > me.upto
	           ORDER BY m.seq OFFSET 0) m
	           WHERE m.sender_id = me.user_id) END AS own_left
	FROM me
), moved AS (
	UPDATE members x
	SET read_seq = own.upto, own_unread = own.own_left,
	    delivered_seq = greatest(x.delivered_seq, own.upto),
	    last_read_at = statement_timestamp()
	FROM own
	WHERE x.chat_id = own.chat_id AND x.user_id = own.user_id
		AND own.upto > own.read_seq
)
SELECT upto, last_seq - read_seq - own_unread AS unread_before,
       last_seq - upto - own_left AS unread_after
FROM own

-- name: chat_others
SELECT user_id FROM members WHERE chat_id = $1::uuid AND user_id <> $2::uuid
