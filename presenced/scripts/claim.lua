-- Hands out reports and keeps them from others for a while. ARGV: how many at
-- most, for how long. Returns user, 'online;at;version', user, ...
local reports = {}

local users = call('ZRANGEBYSCORE', P .. 'reports', '-inf', now,
	'LIMIT', 0, ARGV[5])
for _, user in ipairs(users) do
	local value = call('HGET', P .. 'report', user)
	if value and string.match(value, '^[01];%d+;%d+$') then
		call('ZADD', P .. 'reports', now + tonumber(ARGV[6]), user)
		reports[#reports + 1] = user
		reports[#reports + 1] = value
	else
		call('ZREM', P .. 'reports', user)
		call('HDEL', P .. 'report', user)
	end
end
return reports
