-- What the database layer itself sends around a unit that wants one snapshot.

-- name: snapshot_begin
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY

-- name: snapshot_end
COMMIT
