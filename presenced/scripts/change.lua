-- Sessions of one gateway came up or ended.
-- ARGV: gateway, '1' for a part of a complete registration, and the changes:
-- op, user, session, '1' if the caller remembers the user as online (34 bytes
-- each). Returns how many transitions there are to report.
local OP_UP, OP_LOGGED_OUT, ITEM = 1, 3, 34
local gateway, items = ARGV[5], ARGV[7]
local complete = ARGV[6] == '1'

local gen = call('HGET', P .. 'gens', gateway)
if not gen then
	gen = int(call('HINCRBY', EPOCH, 'gen', 1))
	call('HSET', P .. 'gens', gateway, gen)
end
call('ZADD', P .. 'gateways', now, gateway)
-- Only a registration that began after we asked for it holds everything: a
-- part may be the last of one whose first parts went to a Redis now emptied.
if complete and call('HGET', P .. 'asked', gateway) == '1' then
	call('HSET', P .. 'asked', gateway, '2')
end

local function up(user, session, known)
	local key = P .. 'u:' .. user
	if call('ZSCORE', P .. 'closed', session) then
		return -- a late repeat of a session that is over
	end
	local old = call('HGET', key, session)
	if old ~= gen then
		call('HSET', key, session, gen)
		if old then
			call('SREM', P .. 's:' .. old, user .. session)
		end
		call('SADD', P .. 's:' .. gen, user .. session)
	end
	go_online(user, complete and known and recovering and
		call('SISMEMBER', P .. 'touched', user) == 0)
end

-- A session ended that only the book before this one knew: its user was online
-- just now, and is due unless another session of his is registered in time.
local function down_unheard(user)
	if call('EXISTS', P .. 'u:' .. user) == 0 and
		call('SISMEMBER', P .. 'touched', user) == 0 then
		go_online(user, true)
		session_ended(user, now, false)
	end
end

local function down(user, session, at_once)
	local key = P .. 'u:' .. user
	local old = call('HGET', key, session)
	local is_news = call('ZADD', P .. 'closed', now, session) == 1
	if old then
		call('HDEL', key, session)
		call('SREM', P .. 's:' .. old, user .. session)
		session_ended(user, now, at_once)
	elseif recovering and is_news then
		down_unheard(user)
	end
end

for at = 1, #items, ITEM do
	local op = string.byte(items, at)
	local user = string.sub(items, at + 1, at + 16)
	local session = string.sub(items, at + 17, at + 32)
	if op == OP_UP then
		up(user, session, string.byte(items, at + 33) == 1)
	else
		down(user, session, op == OP_LOGGED_OUT)
	end
end
return transitions
