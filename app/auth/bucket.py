"""Token buckets in Redis: refilled and emptied in one step there, by the clock of the server."""

from collections.abc import Sequence
from typing import NamedTuple

from redis import Redis

# For each key: rate and burst of the bucket, how many tokens are asked and at least needed. A negative number is
# given back. A bucket nobody asked for is full, so it may be forgotten once it had the time to fill up.
TAKE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local answer = {}
for n, key in ipairs(KEYS) do
    local rate, burst = tonumber(ARGV[4 * n - 3]), tonumber(ARGV[4 * n - 2])
    local asked, least = tonumber(ARGV[4 * n - 1]), tonumber(ARGV[4 * n])
    local known = redis.call('HMGET', key, 'tokens', 'at')
    local tokens = tonumber(known[1] or burst)
    tokens = math.min(burst, tokens + math.max(0, now - tonumber(known[2] or now)) * rate)
    local granted = 0
    if asked < 0 or tokens >= least then
        granted = math.min(asked, math.floor(tokens))
    end
    tokens = math.min(burst, tokens - granted)
    redis.call('HSET', key, 'tokens', string.format('%.6f', tokens), 'at', string.format('%.6f', now))
    redis.call('PEXPIRE', key, math.ceil((burst / rate + 60) * 1000))
    answer[n] = {granted, string.format('%.6f', tokens)}
end
return answer
"""


class Wish(NamedTuple):
    """What is asked of one bucket. rate: tokens a second; fewer than `least` are not worth having."""

    key: str
    rate: float
    burst: float
    asked: int
    least: int


class Grant(NamedTuple):
    """What was given, and what the bucket still holds."""

    tokens: int
    left: float


class Buckets:
    """The buckets in one Redis."""

    def __init__(self, redis: Redis) -> None:
        self._take = redis.register_script(TAKE)

    def take(self, wishes: Sequence[Wish]) -> list[Grant]:
        """Answer all wishes in one round trip. Raises RedisError."""
        arguments = [part for w in wishes for part in (repr(w.rate), repr(w.burst), w.asked, w.least)]
        answers = self._take(keys=[wish.key for wish in wishes], args=arguments)
        return [Grant(int(granted), float(left)) for granted, left in answers]
