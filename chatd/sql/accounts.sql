-- Accounts and tokens.

-- name: account_taken
-- $1 username, $2 email; null is not asked about
SELECT EXISTS (SELECT FROM users WHERE username_key = lower($1::text)),
       EXISTS (SELECT FROM users WHERE email_key = lower($2::text))

-- name: account_insert
-- The id is made beforehand: repeated after a lost answer it does nothing.
INSERT INTO users (id, username, name, email, avatar_url, password_hash)
VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text)
ON CONFLICT (id) DO NOTHING

-- name: account_credentials
-- A disabled account is none: a login there fails as one at a name nobody has.
SELECT id, password_hash FROM users
WHERE username_key = lower($1::text) AND disabled_at IS NULL

-- name: account_rehash
-- Only where the hash is still the one that was verified.
UPDATE users SET password_hash = $3::text
WHERE id = $1::uuid AND password_hash = $2::text

-- name: token_insert
INSERT INTO tokens (id, hash, user_id, expires_at)
VALUES ($1::uuid, $2::bytea, $3::uuid,
	now() + $4::bigint * interval '1 millisecond')
ON CONFLICT (id) DO NOTHING

-- name: token_grant
-- token_insert for who has just logged in with the password of hash $5, unless
-- that or the account has changed since. The lock makes a change that comes at
-- the same time wait, or be seen. One row: whether the token is there.
WITH account AS MATERIALIZED (
	SELECT id FROM users
	WHERE id = $3::uuid AND password_hash = $5::text AND disabled_at IS NULL
	FOR SHARE
), fresh AS (
	INSERT INTO tokens (id, hash, user_id, expires_at)
	SELECT $1::uuid, $2::bytea, account.id,
	       now() + $4::bigint * interval '1 millisecond'
	FROM account
	ON CONFLICT (id) DO NOTHING
	RETURNING id
)
SELECT EXISTS (SELECT FROM fresh)
	OR EXISTS (SELECT FROM tokens WHERE id = $1::uuid)

-- name: tokens_check
-- The tokens with the hashes $1, each with its place among them.
SELECT i.ord, t.id, t.user_id, t.expires_at,
       t.expires_at <= now() AS expired,
       coalesce(t.ended_at <= now(), false) AS ended
FROM unnest($1::bytea[]) WITH ORDINALITY AS i (hash, ord)
JOIN tokens t ON t.hash = i.hash
ORDER BY i.ord

-- name: tokens_revive
-- Tokens within their grace after logout that are used again live on.
UPDATE tokens SET ended_at = NULL
WHERE hash = ANY ($1::bytea[]) AND ended_at > now() AND expires_at > now()

-- name: tokens_held
-- One row for each of $1, in order; null where the token is no more.
SELECT t.expires_at
FROM unnest($1::uuid[]) WITH ORDINALITY AS i (id, ord)
LEFT JOIN LATERAL (
	SELECT x.expires_at FROM tokens x
	WHERE x.id = i.id AND x.expires_at > now()
		AND (x.ended_at IS NULL OR x.ended_at > now()) LIMIT 1
) t ON true
ORDER BY i.ord

-- name: token_end
-- $3: milliseconds it stays usable; with none no clock is asked, or a token would
-- live again when the server's is set back.
UPDATE tokens SET ended_at = CASE WHEN $3::bigint = 0 THEN '-infinity'
	ELSE now() + $3::bigint * interval '1 millisecond' END
WHERE id = $1::uuid AND user_id = $2::uuid
	AND (ended_at IS NULL OR ended_at > now())

-- name: tokens_purge
-- Long expired tokens, a bounded number at a time.
DELETE FROM tokens WHERE id IN (
	SELECT id FROM tokens
	WHERE expires_at < now() - interval '30 days'
	ORDER BY expires_at LIMIT 5000)
