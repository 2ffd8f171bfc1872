-- Ends what gateways without a heartbeat since the cutoff held, a bounded part a
-- call. ARGV: the cutoff, and the time by which the caller judges. Returns
-- gateways expired, sessions ended, transitions, and whether more is to do.
local BATCH, GATEWAYS = 500, 20
local cutoff, judged = ARGV[5], ARGV[6]

local expired = call('ZRANGEBYSCORE', P .. 'gateways', '-inf', cutoff,
	'WITHSCORES', 'LIMIT', 0, GATEWAYS)
for i = 1, #expired, 2 do
	local gateway, beat = expired[i], expired[i + 1]
	local gen = call('HGET', P .. 'gens', gateway)
	call('ZREM', P .. 'gateways', gateway)
	call('HDEL', P .. 'gens', gateway)
	call('HDEL', P .. 'asked', gateway)
	if gen then
		call('HSET', P .. 'ended', gen, beat)
		call('ZADD', P .. 'dying', judged, gen)
	end
end

local sessions, more = 0, 0
local gen = call('ZRANGEBYSCORE', P .. 'dying', '-inf', judged,
	'LIMIT', 0, 1)[1]
if gen then
	local at = tonumber(call('HGET', P .. 'ended', gen) or now)
	for _, member in ipairs(call('SPOP', P .. 's:' .. gen, BATCH)) do
		local user = string.sub(member, 1, 16)
		local session = string.sub(member, 17)
		local key = P .. 'u:' .. user
		-- Under another gen it was registered again: it lives.
		if call('HGET', key, session) == gen then
			call('HDEL', key, session)
			session_ended(user, at, false)
			sessions = sessions + 1
		end
	end
	if call('EXISTS', P .. 's:' .. gen) == 0 then
		call('ZREM', P .. 'dying', gen)
		call('HDEL', P .. 'ended', gen)
	end
	more = 1
end
return { #expired / 2, sessions, transitions, more }
