-- People search for what trigrams cannot find: one or two characters (where there
-- are no spaces between words that is a whole name), signs and pictures.

ALTER TABLE contacts ADD COLUMN nickname_fold text
	GENERATED ALWAYS AS (parley_fold(nickname)) STORED;

-- Each character of a text and each pair of neighbours, once.
CREATE FUNCTION parley_grams(t text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
	SELECT array_agg(DISTINCT g.gram)
	FROM generate_series(1, char_length(t)) AS i (at)
	CROSS JOIN LATERAL (VALUES (substr(t, i.at, 1)), (substr(t, i.at, 2)))
		AS g (gram)
);

-- Names change rarely: no index keeps a list of pending entries, which every
-- search would have to read.
CREATE INDEX users_username_grams ON users
	USING gin (parley_grams(username_key)) WITH (fastupdate = off);
CREATE INDEX users_name_grams ON users
	USING gin (parley_grams(name_fold)) WITH (fastupdate = off);

-- Whether the trigram indexes find a text: pg_trgm makes three-character pieces
-- of letters and digits alone.
DO $do$
BEGIN
	IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') THEN
		CREATE FUNCTION parley_has_trigrams(t text) RETURNS boolean
		LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
		RETURN char_length(t) >= 3
		    AND cardinality(public.show_trgm(t)) > 0;
		ALTER INDEX users_username_inside SET (fastupdate = off);
		ALTER INDEX users_name_inside SET (fastupdate = off);
		PERFORM gin_clean_pending_list('users_username_inside'),
		    gin_clean_pending_list('users_name_inside');
	ELSE
		CREATE FUNCTION parley_has_trigrams(t text) RETURNS boolean
		LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
		RETURN false;
	END IF;
END
$do$;
