-- One step of a job scheduler, as a long script of a queue library does it: ends the jobs of the step before, takes new
-- ones in, wakes those whose delay is over, and hands out as many as its rate limit allows.
--
-- KEYS[1] is the queue, ARGV[1] the new jobs in JSON, ARGV[2] the worker's name. Time is counted in steps, so that the
-- same steps do the same work on every server. What is kept of one step is what the next one needs, so that a queue
-- stays as long as it is.

local DEFAULTS = {
    rate = 6,
    burst = 8,
    history = 20,
    lifetime = 3600,
    attempts = 3,
    urgent = { 'billing', 'security', 'login' },
}

local queue = KEYS[1]
local worker = ARGV[2]

local function key(part)
    return queue .. ':' .. part
end

local function trim(text)
    return (text:gsub('^%s+', ''):gsub('%s+$', ''))
end

local function split(text, separator)
    local parts = {}
    for part in (text .. separator):gmatch('(.-)' .. separator) do
        part = trim(part)
        if part ~= '' then
            parts[#parts + 1] = part:lower()
        end
    end
    return parts
end

local function fill(template, values)
    return (template:gsub('{(%w+)}', function(name)
        local value = values[name]
        if value == nil then
            return '{' .. name .. '}'
        end
        return tostring(value)
    end))
end

-- Adler's checksum, byte by byte.
local function checksum(text)
    local one, other = 1, 0
    for at = 1, #text do
        one = (one + text:byte(at)) % 65521
        other = (other + one) % 65521
    end
    return string.format('%04x%04x', other, one)
end

local function contains(list, wanted)
    for _, value in ipairs(list) do
        if value == wanted then
            return true
        end
    end
    return false
end

local function settings()
    local stored = redis.call('GET', key('settings'))
    if stored then
        return cjson.decode(stored)
    end
    redis.call('SET', key('settings'), cjson.encode(DEFAULTS))
    return DEFAULTS
end

local step = redis.call('INCR', key('clock'))
local options = settings()

-- Jobs wait in two lanes; a lane and a number name a job wherever it is kept.
local LANES = { 'urgent', 'normal' }

local function lane_of(job)
    for _, tag in ipairs(job.tags) do
        if contains(options.urgent, tag) then
            return 'urgent'
        end
    end
    return 'normal'
end

local function push(lanes)
    for _, lane in ipairs(LANES) do
        local names = lanes[lane]
        if names and #names > 0 then
            redis.call('RPUSH', key(lane), unpack(names))
        end
    end
end

local function delay(entries)
    if #entries > 0 then
        redis.call('ZADD', key('delayed'), unpack(entries))
    end
end

-- Every fifth job fails at first, and waits longer each time.
local function finish()
    local active = redis.call('HGETALL', key('active'))
    local ended, lines, again, retried = {}, {}, {}, {}
    for at = 1, #active, 2 do
        local name, job = active[at], cmsgpack.unpack(active[at + 1])
        if job.id % 5 == 0 and job.attempt < options.attempts then
            again[#again + 1] = step + 2 ^ job.attempt
            again[#again + 1] = name
            retried[#retried + 1] = name
            retried[#retried + 1] = cmsgpack.pack(job)
        else
            ended[#ended + 1] = name
            lines[#lines + 1] = cjson.encode({ id = job.id, steps = step - job.added, sum = job.sum, by = job.worker })
        end
    end
    if #active > 0 then
        redis.call('DEL', key('active'))
    end
    if #ended > 0 then
        redis.call('HDEL', key('jobs'), unpack(ended))
        redis.call('LPUSH', key('history'), unpack(lines))
        redis.call('LTRIM', key('history'), 0, options.history - 1)
    end
    if #retried > 0 then
        redis.call('HSET', key('jobs'), unpack(retried))
    end
    delay(again)
    return #ended, #retried / 2
end

local function take_in(arrivals)
    local id = redis.call('INCRBY', key('ids'), #arrivals) - #arrivals
    local stored, lanes, later = {}, { urgent = {}, normal = {} }, {}
    for _, job in ipairs(arrivals) do
        id = id + 1
        job.id, job.added, job.attempt = id, step, 0
        job.tags = split(job.tags, ',')
        table.sort(job.tags)
        job.text = fill(job.text, { id = id, name = job.name, user = job.user, tags = table.concat(job.tags, '+') })
        job.sum = checksum(job.text)
        local lane = lane_of(job)
        local name = string.format('%s/%08d', lane, id)
        stored[#stored + 1] = name
        stored[#stored + 1] = cmsgpack.pack(job)
        if job.delay > 0 then
            later[#later + 1] = step + job.delay
            later[#later + 1] = name
        else
            table.insert(lanes[lane], name)
        end
    end
    redis.call('HSET', key('jobs'), unpack(stored))
    push(lanes)
    delay(later)
end

local function wake()
    local due = redis.call('ZRANGEBYSCORE', key('delayed'), '-inf', step, 'LIMIT', 0, 16)
    local lanes = { urgent = {}, normal = {} }
    for _, name in ipairs(due) do
        table.insert(lanes[name:match('^(%a+)/')], name)
    end
    if #due > 0 then
        redis.call('ZREM', key('delayed'), unpack(due))
        push(lanes)
    end
    return #due
end

-- A bucket that fills at its rate up to its brim.
local function allowance()
    local bucket = redis.call('HMGET', key('bucket'), 'tokens', 'step')
    local tokens, since = tonumber(bucket[1] or options.burst), tonumber(bucket[2] or step)
    return math.min(options.burst, tokens + (step - since) * options.rate)
end

local function hand_out(tokens)
    local names = {}
    for _, lane in ipairs(LANES) do
        if #names < tokens then
            for _, name in ipairs(redis.call('LPOP', key(lane), tokens - #names) or {}) do
                names[#names + 1] = name
            end
        end
    end
    redis.call('HSET', key('bucket'), 'tokens', tokens - #names, 'step', step)
    redis.call('EXPIRE', key('bucket'), options.lifetime)
    if #names == 0 then
        return {}
    end
    local active, told = {}, {}
    for at, packed in ipairs(redis.call('HMGET', key('jobs'), unpack(names))) do
        local job = cmsgpack.unpack(packed)
        job.attempt, job.worker = job.attempt + 1, worker
        active[#active + 1] = names[at]
        active[#active + 1] = cmsgpack.pack(job)
        told[#told + 1] = { job.id, job.name:upper(), job.sum, job.attempt }
    end
    redis.call('HSET', key('active'), unpack(active))
    return told
end

local ended, retried = finish()
take_in(cjson.decode(ARGV[1]))
local woken = wake()
local told = hand_out(allowance())
local facts = string.format('ended=%d retried=%d woken=%d told=%d', ended, retried, woken, #told)
redis.call('XADD', key('events'), 'MAXLEN', 20, step .. '-1', 'worker', worker, 'facts', facts)
return { step, facts, cjson.encode(told) }
