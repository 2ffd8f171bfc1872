-- Who of these users is online? ARGV: users, 16 bytes each. Returns whether the
-- book is still being rebuilt, and a '0' or '1' for each.
local users = {}

for at = 1, #ARGV[5], 16 do
	users[#users + 1] = string.sub(ARGV[5], at, at + 15)
end
return {
	recovering and 1 or 0,
	table.concat(call('SMISMEMBER', P .. 'online', unpack(users))),
}
