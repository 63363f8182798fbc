-- Drops all values whose key begins with ARGV[1].
for _, key in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    if string.sub(key, 1, string.len(ARGV[1])) == ARGV[1] then
        redis.call('DEL', key)
        redis.call('ZREM', KEYS[1], key)
    end
end
