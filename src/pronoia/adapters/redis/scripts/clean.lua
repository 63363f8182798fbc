-- Forgets the keys whose values expired before ARGV[1], and says how many are left and what they take.
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])) do
    redis.call('DEL', key)
    redis.call('ZREM', KEYS[1], key)
end
local size = 0
local keys = redis.call('ZRANGE', KEYS[1], 0, -1)
for _, key in ipairs(keys) do
    size = size + redis.call('STRLEN', key)
end
return {#keys, size}
