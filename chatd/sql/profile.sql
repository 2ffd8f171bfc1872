-- What people change about themselves.

-- name: profile_username
-- The unique key knows no case, and one's own name stands in no one's way.
UPDATE users SET username = $2::text WHERE id = $1::uuid

-- name: profile_name
UPDATE users SET name = $2::text WHERE id = $1::uuid

-- name: profile_avatar
UPDATE users SET avatar_url = $2::text WHERE id = $1::uuid
