-- chatd took these reports: they are done, unless a newer one took their place
-- meanwhile, which may go now. ARGV: user, version, ... Returns how many may.
local newer = 0

for i = 5, #ARGV, 2 do
	local user, version = ARGV[i], ARGV[i + 1]
	local value = call('HGET', P .. 'report', user)
	if value and string.match(value, '%d+$') == version then
		call('HDEL', P .. 'report', user)
		call('ZREM', P .. 'reports', user)
	elseif value then
		call('ZADD', P .. 'reports', 'XX', now, user)
		newer = newer + 1
	end
end
return newer
