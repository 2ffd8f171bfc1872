-- The regular look at the book: time, epoch and sizes. It also forgets closed
-- sessions that no late repeat can name any more, and takes times back that lie
-- in the future because the clock went back. ARGV: how long closed sessions are
-- remembered, how long reports may be out for delivery.
local keep, claim = tonumber(ARGV[5]), tonumber(ARGV[6])

local function forget_closed()
	local old = call('ZRANGEBYSCORE', P .. 'closed', '-inf', now - keep,
		'LIMIT', 0, 2000)
	if #old > 0 then
		call('ZREM', P .. 'closed', unpack(old))
	end
end

local function not_after(key, limit)
	local ahead = call('ZRANGEBYSCORE', key, '(' .. int(limit), '+inf',
		'LIMIT', 0, 100)
	for _, member in ipairs(ahead) do
		call('ZADD', key, 'XX', now, member)
	end
end

forget_closed()
not_after(P .. 'gateways', now)
not_after(P .. 'due', now)
not_after(P .. 'closed', now)
not_after(P .. 'dying', now + lease)
not_after(P .. 'reports', now + claim)
return {
	now,
	start,
	tonumber(call('HGET', EPOCH, 'version') or 0),
	tonumber(call('HGET', EPOCH, 'noted') or 0),
	call('SCARD', P .. 'online'),
	call('ZCARD', P .. 'gateways'),
	call('ZCARD', P .. 'reports'),
	call('ZCARD', P .. 'due'),
	call('ZCARD', P .. 'dying'),
}
