-- Takes users offline whose last session ended before the cutoff, a bounded
-- number a call. While the book is being rebuilt, who was due before the epoch
-- may be about to be registered again: let them be until then. ARGV: the cutoff.
-- Returns as expire.lua does.
local BATCH = 200

local due = call('ZRANGEBYSCORE', P .. 'due', recovering and start or '-inf',
	ARGV[5], 'WITHSCORES', 'LIMIT', 0, BATCH)
for i = 1, #due, 2 do
	go_offline(due[i], tonumber(due[i + 1]))
end
return { 0, 0, transitions, #due == 2 * BATCH and 1 or 0 }
