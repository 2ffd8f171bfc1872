-- Accounts that operators have disabled, and what is left of erased ones.
--
-- Who is erased leaves a shell behind, an account without name or address that
-- nobody can log in to: the other side of his private chats, and the sender of
-- what he had sent. While he is being erased his own row says which it is.
-- works with: 5

ALTER TABLE users
	ADD COLUMN disabled_at timestamptz,
	-- Of a shell: when what it stands for was erased.
	ADD COLUMN erased_at timestamptz,
	-- Of who is being erased: the shell that takes his place.
	ADD COLUMN shell_id uuid;
