-- What all scripts share; joined in front of each at build time.
--
-- The book, all of it below one hash tag so that a Redis Cluster keeps it in
-- one slot (ids are 16 raw bytes; times are milliseconds of Redis's clock):
--   epoch     hash: run (the Redis process the book is true for), start,
--             version (the last one given), noted (length of all the log), gen
--   gateways  zset gateway -> last heartbeat     gens   hash gateway -> gen
--   asked     hash gateway -> 1 was told to register all, 2 has begun to
--   s:<gen>   set of user..session that the gateway's registration holds
--   u:<user>  hash session -> gen; 'e' -> when the latest other session ended
--   closed    zset session -> when it ended: it never comes up again
--   dying     zset gen -> from when its sessions end;  ended  hash gen -> at
--   online    set of users counted online (also those in their grace)
--   due       zset user -> when the last session ended
--   report    hash user -> online;at;version     reports  zset user -> when to
--             hand it out next
--   log       stream of transitions, told or silent: <n>-0 user 1|0
--   touched   set of users with a transition since the epoch began (kept only
--             while the epoch is young)
--
-- ARGV of every script: run, lease, grace, the least version to stay above.
--
-- SPDX-License-Identifier: MIT
local P = '{presence}:'
local EPOCH = P .. 'epoch'
local call = redis.call

local lease = tonumber(ARGV[2])
local grace = tonumber(ARGV[3])
local clock = call('TIME')
local now_us = clock[1] * 1000000 + clock[2]
local now = math.floor(now_us / 1000)
local YOUNG_LEASES = 10
local LOG_MAX = 100000

-- Lua's own number to text conversion rounds to 14 digits.
local function int(n)
	return string.format('%.0f', n)
end

-- This Redis was emptied, restarted or replaced: what the book says may be old
-- or gone. Every gateway has to register anew; sessions that then turn up stay
-- as they are, the others end a lease from now.
local function begin_epoch()
	local gens = call('HGETALL', P .. 'gens')
	for i = 1, #gens, 2 do
		local beat = call('ZSCORE', P .. 'gateways', gens[i]) or now
		call('HSET', P .. 'ended', gens[i + 1], beat)
		call('ZADD', P .. 'dying', now + lease, gens[i + 1])
	end
	call('DEL', P .. 'gens', P .. 'gateways', P .. 'asked', P .. 'touched')
	call('HSET', EPOCH, 'run', ARGV[1], 'start', now)
end

if call('HGET', EPOCH, 'run') ~= ARGV[1] then
	begin_epoch()
end
local start = tonumber(call('HGET', EPOCH, 'start'))
local recovering = now < start + lease
local transitions = 0

-- Microseconds of the clock, but never twice and never backwards, whatever the
-- clock does and whatever Redis forgot.
local function next_version()
	local last = tonumber(call('HGET', EPOCH, 'version') or 0)
	local v = math.max(now_us, last + 1, tonumber(ARGV[4]) + 1)
	call('HSET', EPOCH, 'version', v)
	return v
end

local function note(user, flag)
	local n = call('HINCRBY', EPOCH, 'noted', 1)
	call('XADD', P .. 'log', 'MAXLEN', '~', LOG_MAX, int(n) .. '-0', user, flag)
	if now < start + YOUNG_LEASES * lease then
		call('SADD', P .. 'touched', user)
		call('PEXPIRE', P .. 'touched', 2 * YOUNG_LEASES * lease)
	end
end

-- A report that is being delivered keeps its place: the newer one follows when
-- that is answered, so that chatd hears of one user in order.
local function report(user, flag, at)
	call('HSET', P .. 'report', user,
		flag .. ';' .. int(at) .. ';' .. int(next_version()))
	call('ZADD', P .. 'reports', 'NX', now, user)
	transitions = transitions + 1
end

local function go_online(user, silent)
	if call('SADD', P .. 'online', user) == 0 then
		call('ZREM', P .. 'due', user)
		return
	end
	note(user, '1')
	if not silent then
		report(user, '1', now)
	end
end

local function go_offline(user, at)
	call('ZREM', P .. 'due', user)
	if call('SREM', P .. 'online', user) == 1 then
		note(user, '0')
		report(user, '0', at)
	end
end

-- One session of the user is out of u:<user>; it ended at `at`.
local function session_ended(user, at, at_once)
	local key = P .. 'u:' .. user
	local left = call('HLEN', key)
	local latest = tonumber(call('HGET', key, 'e'))
	if latest then
		left = left - 1
		at = math.max(at, latest)
	end
	if left > 0 then
		call('HSET', key, 'e', at)
		return
	end
	call('DEL', key)
	if at_once or grace == 0 then
		go_offline(user, at)
	else
		call('ZADD', P .. 'due', at, user)
	end
end
