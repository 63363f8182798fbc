-- Keeps a value, and lets the oldest go when there are more than ARGV[3] of them.
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[4], KEYS[1])
local excess = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[3])
if excess > 0 then
    for _, oldest in ipairs(redis.call('ZRANGE', KEYS[2], 0, excess - 1)) do
        redis.call('DEL', oldest)
        redis.call('ZREM', KEYS[2], oldest)
    end
end
