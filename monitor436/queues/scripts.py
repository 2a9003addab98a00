"""What Redis does in one go for a queue, in Lua: each may be repeated when its answer was lost.

Keys of a queue: a stream of jobs (`b` batch, `n` name, `j` body), a stream of results (`b`, `n`, `r` body), and for
each batch a hash of how far it is and a hash of its names, "1" for put and "2" for acknowledged. All of them expire.
"""

PUT = """\
local room = tonumber(ARGV[2])
if room < 0 then
  room = math.huge
else
  room = room - redis.call('XLEN', KEYS[1]) - redis.call('XLEN', KEYS[2])
end
local seen, put = 0, 0
for i = 4, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[4], ARGV[i]) == 0 then
    if room <= put then break end
    redis.call('XADD', KEYS[1], '*', 'b', ARGV[3], 'n', ARGV[i], 'j', ARGV[i + 1])
    redis.call('HSET', KEYS[4], ARGV[i], '1')
    put = put + 1
  end
  seen = seen + 1
end
redis.call('HINCRBY', KEYS[3], 'put', put)
if put > 0 then redis.call('HDEL', KEYS[3], 'total') end
for i = 1, 4 do redis.call('EXPIRE', KEYS[i], ARGV[1]) end
return seen
"""

SEAL = """\
redis.call('HSET', KEYS[1], 'total', redis.call('HGET', KEYS[1], 'put') or '0')
redis.call('EXPIRE', KEYS[1], ARGV[1])
"""

ACKNOWLEDGE = """\
local tickets = {}
for i = 3, #ARGV, 3 do tickets[#tickets + 1] = ARGV[i] end
redis.call('XACK', KEYS[1], 'workers', unpack(tickets))
redis.call('XDEL', KEYS[1], unpack(tickets))
local done = 0
for i = 3, #ARGV, 3 do
  if redis.call('HGET', KEYS[4], ARGV[i + 1]) ~= '2' then
    redis.call('XADD', KEYS[2], '*', 'b', ARGV[2], 'n', ARGV[i + 1], 'r', ARGV[i + 2])
    redis.call('HSET', KEYS[4], ARGV[i + 1], '2')
    done = done + 1
  end
end
redis.call('HINCRBY', KEYS[3], 'acknowledged', done)
for i = 1, 4 do redis.call('EXPIRE', KEYS[i], ARGV[1]) end
return done
"""
# What is removed comes first: a Redis that is full refuses a script whose first write takes memory, and no other.

GIVE_BACK = """\
local theirs = redis.pcall('XPENDING', KEYS[1], 'workers', '-', '+', ARGV[2], ARGV[1])
if theirs.err then return 0 end
for _, each in ipairs(theirs) do
  local job = redis.call('XRANGE', KEYS[1], each[1], each[1])[1]
  if job then redis.call('XADD', KEYS[1], '*', unpack(job[2])) end
  redis.call('XACK', KEYS[1], 'workers', each[1])
  redis.call('XDEL', KEYS[1], each[1])
end
if #theirs < tonumber(ARGV[2]) then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], 'workers', ARGV[1]) end
return #theirs
"""

COMPLETE = """\
local tickets = {unpack(ARGV, 2)}
local done = redis.call('XACK', KEYS[1], 'sinks', unpack(tickets))
redis.call('XDEL', KEYS[1], unpack(tickets))
redis.call('HINCRBY', KEYS[2], 'completed', done)
redis.call('EXPIRE', KEYS[2], ARGV[1])
return done
"""
