-- The contact list.

-- name: contacts
-- $1 the owner; at most $2, by the name that the owner sees. People are looked
-- up one by one (the OFFSET keeps it so): what a list costs depends on how long
-- it is and not on how many people there are.
SELECT u.id, u.username, u.name, u.avatar_url, u.last_seen_at,
       true AS is_contact, k.nickname, k.added_at
FROM contacts k
CROSS JOIN LATERAL (SELECT * FROM users WHERE id = k.user_id OFFSET 0) u
WHERE k.owner_id = $1::uuid
ORDER BY coalesce(k.nickname_fold, u.name_fold), u.username_key
LIMIT $2::bigint

-- name: contact_owner_lock
-- One row while the account is there. Holds back the owner's other additions, so
-- that they are counted one after another.
SELECT FROM users WHERE id = $1::uuid FOR NO KEY UPDATE

-- name: contact_insert
-- $1 the owner, $2 the person, $3 how many contacts one may have.
INSERT INTO contacts (owner_id, user_id)
SELECT $1::uuid, u.id
FROM users u
WHERE u.id = $2::uuid AND (
	SELECT count(*) FROM (
		SELECT FROM contacts WHERE owner_id = $1::uuid
		LIMIT $3::bigint) k) < $3::bigint
ON CONFLICT (owner_id, user_id) DO NOTHING

-- name: contact_delete
DELETE FROM contacts WHERE owner_id = $1::uuid AND user_id = $2::uuid

-- name: contact_rename
UPDATE contacts SET nickname = $3::text
WHERE owner_id = $1::uuid AND user_id = $2::uuid
