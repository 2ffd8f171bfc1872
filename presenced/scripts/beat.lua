-- A gateway's heartbeat. ARGV: gateway. Returns 1 if its sessions are known, 0
-- if it has to register all of them.
local gateway = ARGV[5]

if not call('HGET', P .. 'gens', gateway) then
	call('HSET', P .. 'gens', gateway, call('HINCRBY', EPOCH, 'gen', 1))
end
call('ZADD', P .. 'gateways', now, gateway)
if call('HGET', P .. 'asked', gateway) == '2' then
	return 1
end
call('HSET', P .. 'asked', gateway, '1')
return 0
