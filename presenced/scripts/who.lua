-- Who of these users is online? ARGV: users, 16 bytes each. Returns a text with
-- one character for each: '1' online, '0' not, '?' if the book is being rebuilt
-- and says nothing of the user.
local users = {}

for at = 1, #ARGV[5], 16 do
	users[#users + 1] = string.sub(ARGV[5], at, at + 15)
end
local online = call('SMISMEMBER', P .. 'online', unpack(users))
if recovering then
	local touched = call('SMISMEMBER', P .. 'touched', unpack(users))
	for i = 1, #users do
		if online[i] == 0 and touched[i] == 0 then
			online[i] = '?'
		end
	end
end
return table.concat(online)
