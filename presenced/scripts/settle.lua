-- After a loss of memory and one lease: users whom the caller remembers as
-- online and of whom nothing was heard since are offline. ARGV: user, at, ...
-- Returns transitions.
for i = 5, #ARGV, 2 do
	local user, at = ARGV[i], tonumber(ARGV[i + 1])
	if now < start + YOUNG_LEASES * lease and
		call('SISMEMBER', P .. 'online', user) == 0 and
		call('SISMEMBER', P .. 'touched', user) == 0 then
		note(user, '0')
		report(user, '0', at)
	end
end
return transitions
