-- Takes cells of several keys, each by itself, by the rule of resilience/rate_limit.py on this clock. ARGV holds five
-- numbers a key: the seconds of one cell, the limit, what is wanted, the least that is of use, what is returned.
-- Numbers cross as text, because Redis cuts them to integers.
local time = redis.call('TIME')
local moment = tonumber(time[1]) + tonumber(time[2]) / 1e6
local answers = {}

for place, key in ipairs(KEYS) do
    local first = 5 * (place - 1)
    local cell_seconds, limit = tonumber(ARGV[first + 1]), tonumber(ARGV[first + 2])
    local wanted, minimum = tonumber(ARGV[first + 3]), tonumber(ARGV[first + 4])
    local returned = tonumber(ARGV[first + 5])

    local held = redis.call('HMGET', key, 'full_at', 'spent')
    local backlog, spent = 0, 0
    if held[1] then
        backlog = math.max(tonumber(held[1]) - returned * cell_seconds - moment, 0)
        spent = tonumber(held[2]) - returned
    end
    local room = limit - backlog / cell_seconds
    local cells = 0
    if room >= minimum - 1e-6 then
        cells = math.max(math.min(wanted, room), 0)
    end
    backlog = backlog + cells * cell_seconds
    spent = spent + cells

    redis.call('HSET', key, 'full_at', string.format('%.17g', moment + backlog), 'spent', string.format('%.17g', spent))
    redis.call('PEXPIRE', key, math.ceil((backlog + 60) * 1000))
    answers[place] = {string.format('%.17g', cells), string.format('%.17g', backlog), string.format('%.17g', spent)}
end

return answers
