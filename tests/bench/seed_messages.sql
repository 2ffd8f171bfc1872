-- An installation that has been used for years: people, their private chats in a
-- ring, groups, and messages in the order of time over all chats, as they lie
-- when they were sent, not chat by chat.
--
--   deploy/local.sh psql -q -v people=20000 -v each=20 -v groups=200
--       -v messages=1000000 -v world=0000beef -f tests/bench/seed_messages.sql
--
--   world     8 hexadecimal digits; ids and tokens follow from it as in
--             load/world.h, so that parley-load can act for these people
--             afterwards: --world 0x0000beef --connections up to `people`
--             --chats `each`, without --database
--   people    users; each has `each` private chats (an even number)
--   groups    of 50 people; the first one of 500
--   messages  in all: one tenth in the private chat of users 0 and 1, two tenths
--             in the groups, the others spread over the private chats so that a
--             few have very many and most have few
--
-- The indexes of messages are dropped and made again, since that takes a third of
-- the time, with pages as full as random inserts leave them. 20,000 people with 20
-- chats each take 20 seconds, and each million messages 20 more.
--
-- SPDX-License-Identifier: MIT
\set ON_ERROR_STOP on
BEGIN;
SET LOCAL synchronous_commit = off;
SET LOCAL work_mem = '512MB';
SET LOCAL maintenance_work_mem = '512MB';
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT setseed(0.5) \g /dev/null

CREATE FUNCTION pg_temp.world_id(kind text, i bigint) RETURNS uuid
LANGUAGE sql IMMUTABLE
RETURN (current_setting('seed.world') || '-' || kind || '-7000-8000-'
	|| lpad(to_hex(i), 12, '0'))::uuid;
SELECT set_config('seed.world', :'world', true) \g /dev/null

-- ---- people ---------------------------------------------------------------

CREATE TEMP TABLE seed_people ON COMMIT DROP AS
SELECT i, pg_temp.world_id('0001', i) AS id
FROM generate_series(0::bigint, :people - 1) i;
CREATE UNIQUE INDEX ON seed_people (i);
ANALYZE seed_people;

INSERT INTO users (id, username, name, email, password_hash)
SELECT id, 'b' || :'world' || '_' || i, 'Bench ' || i,
       'b' || :'world' || '_' || i || '@bench.test', ''
FROM seed_people;

INSERT INTO tokens (id, hash, user_id, expires_at)
SELECT gen_random_uuid(), sha256(convert_to(rpad('b' || :'world' || '_'
       || lpad(to_hex(i), 8, '0'), 43, 'x'), 'UTF8')),
       id, now() + interval '30 days'
FROM seed_people;

INSERT INTO contacts (owner_id, user_id, nickname)
SELECT a.id, b.id, CASE WHEN b.i % 5 = 0 THEN 'Nick ' || a.i END
FROM seed_people a CROSS JOIN generate_series(1, :each / 2) d
JOIN seed_people b ON b.i = (a.i + d) % :people;

-- ---- chats: numbered from 0, the private ones first -------------------------

CREATE TEMP TABLE seed_chats ON COMMIT DROP AS
SELECT a.i * (:each / 2) + d - 1 AS n, 0 AS kind,
       pg_temp.world_id('0002', a.i * 256 + d) AS id, a.i AS first, 2 AS size,
       a.id AS first_id, b.id AS second_id
FROM seed_people a CROSS JOIN generate_series(1, :each / 2) d
JOIN seed_people b ON b.i = (a.i + d) % :people
UNION ALL
SELECT :people::bigint * (:each / 2) + g, 1, pg_temp.world_id('0004', g),
       g * 37 % :people, least(CASE WHEN g = 0 THEN 500 ELSE 50 END, :people),
       NULL, NULL
FROM generate_series(0::bigint, :groups - 1) g;
CREATE UNIQUE INDEX ON seed_chats (n);
ANALYZE seed_chats;

-- ---- messages ----------------------------------------------------------------

CREATE TEMP TABLE seed_messages ON COMMIT DROP AS
SELECT i, n, row_number() OVER (PARTITION BY n ORDER BY i) AS seq, part
FROM (
	SELECT i, r.part,
	       CASE WHEN r.kind < 0.1 THEN 0
	       WHEN r.kind < 0.3 AND :groups > 0
	       THEN :people::bigint * (:each / 2)
	           + floor(power(r.place, 2) * :groups)::bigint
	       ELSE floor(power(r.place, 3) * :people * (:each / 2))::bigint
	           * 7919 % (:people::bigint * (:each / 2))
	       END AS n
	FROM generate_series(1::bigint, :messages) i
	CROSS JOIN LATERAL (SELECT random() AS kind, random() AS place,
	       random() AS part, i AS correlated) r
) m;

CREATE TEMP TABLE seed_lasts ON COMMIT DROP AS
SELECT n, count(*) AS last_seq, max(i) AS i FROM seed_messages GROUP BY n;
CREATE UNIQUE INDEX ON seed_lasts (n);
ANALYZE seed_lasts;

-- The last message was sent an hour ago, the first two years before.
SELECT quote_literal(now() - interval '1 hour') || '::timestamptz - (1 - m.i::float8 / '
	|| :messages || ') * interval ''730 days''' AS sent_at \gset

INSERT INTO chats (id, kind, name, private_key, created_by, created_at, last_seq,
	last_message_at, announced_seq)
SELECT c.id, c.kind, CASE WHEN c.kind = 1 THEN 'Group ' || c.n END,
       least(c.first_id::text, c.second_id::text) || ':'
           || greatest(c.first_id::text, c.second_id::text),
       p.id, now() - interval '2 years',
       coalesce(m.last_seq, 0), :sent_at,
       coalesce(m.last_seq, 0)
FROM seed_chats c JOIN seed_people p ON p.i = c.first
LEFT JOIN seed_lasts m ON m.n = c.n;

INSERT INTO members (chat_id, user_id, role, joined_at, delivered_seq, read_seq)
SELECT c.id, u.id, (c.kind = 1 AND p = 0)::int, now() - interval '2 years',
       coalesce(l.last_seq, 0), coalesce(l.last_seq, 0)
FROM seed_chats c LEFT JOIN seed_lasts l ON l.n = c.n
CROSS JOIN LATERAL generate_series(0, c.size - 1) p
CROSS JOIN LATERAL (SELECT id FROM seed_people WHERE c.kind = 1
	AND i = (c.first + p) % :people
	UNION ALL SELECT CASE WHEN p = 0 THEN c.first_id ELSE c.second_id END
	WHERE c.kind = 0) u;

-- The keys of messages, whatever the schema has, made again behind the rows.
CREATE TEMP TABLE seed_keys ON COMMIT DROP AS
SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
WHERE conrelid = 'messages'::regclass AND contype IN ('p', 'u');
SELECT format('ALTER TABLE messages DROP CONSTRAINT %I', conname)
FROM seed_keys \gexec

-- Ids are as chatd makes them: 48 bits of the time in front.
INSERT INTO messages (chat_id, seq, id, sender_id, front_msg_id, format, content,
	created_at)
SELECT c.id, m.seq,
       (lpad(to_hex((extract(epoch FROM t.sent_at) * 1000)::bigint), 12, '0')
           || '7' || substr(t.some, 1, 3) || '8' || substr(t.some, 4, 15))::uuid,
       CASE WHEN c.kind = 1 THEN (SELECT id FROM seed_people
           WHERE i = (c.first + floor(m.part * c.size)::bigint) % :people)
       WHEN m.part < 0.5 THEN c.first_id ELSE c.second_id END,
       gen_random_uuid(), 0,
       'm ' || left(replace(t.some || t.more, '0', ' '),
           20 + floor(random() * 44)::int),
       t.sent_at
FROM seed_messages m JOIN seed_chats c ON c.n = m.n
CROSS JOIN LATERAL (SELECT :sent_at AS sent_at,
	md5(m.i::text) AS some, md5((-m.i)::text) AS more OFFSET 0) t
ORDER BY m.i;

SELECT format('ALTER TABLE messages ADD CONSTRAINT %I %s WITH (fillfactor = 70)',
	conname, definition)
FROM seed_keys \gexec
SELECT format('ALTER INDEX %I RESET (fillfactor)', conname) FROM seed_keys \gexec

-- What chatd copies for the search of long chats, so that it has nothing to
-- make up while it is measured.
INSERT INTO message_blocks (chat_id, block, body)
SELECT m.chat_id, (m.seq - 1) / 512,
       string_agg(parley_fold(m.content), E'\x01' ORDER BY m.seq)
FROM seed_lasts l JOIN seed_chats c ON c.n = l.n
JOIN messages m ON m.chat_id = c.id
WHERE l.last_seq >= 4096 AND m.seq <= l.last_seq / 512 * 512
GROUP BY 1, 2;
COMMIT;
VACUUM (ANALYZE) users, tokens, contacts, chats, members, messages,
	message_blocks;
