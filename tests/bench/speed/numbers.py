"""The reputation that all subjects hold: each number of +1202 and seven digits from 0 on. Every
hundredth is listed (score 95, block), the others have the score number % 80."""

LISTED_EVERY = 100
LISTED_SCORE = 95
SCORES = 80
COUNT = 1_000_000

# Redis makes the entries by itself: ten million over a socket take minutes.
_CHUNK = 50_000
_KAMAILIO = """
for n = tonumber(ARGV[1]), tonumber(ARGV[2]) - 1 do
  local key = string.format('rep:+1202%07d', n)
  redis.call('HSET', key, 'score', n % 100 == 0 and 95 or n % 80)
end
"""
_RINGFENCE = """
for n = tonumber(ARGV[1]), tonumber(ARGV[2]) - 1 do
  local key = string.format('rf:num:+1202%07d', n)
  if n % 100 == 0 then redis.call('HSET', key, 'score', 95, 'list', 'block')
  else redis.call('HSET', key, 'score', n % 80) end
end
"""


def write_csv(path, count):
    """The CSV file of Ringfence's memory store."""
    with open(path, "w", encoding="ascii") as file:
        file.write("number,score,list,type,source,expires\n")
        for number in range(count):
            if number % LISTED_EVERY == 0:
                file.write(f"+1202{number:07d},{LISTED_SCORE},block,,,\n")
            else:
                file.write(f"+1202{number:07d},{number % SCORES},,,,\n")


def fill(redis, count, ringfence):
    """Into a Redis, under Ringfence's keys or Kamailio's."""
    script = _RINGFENCE if ringfence else _KAMAILIO
    for first in range(0, count, _CHUNK):
        redis("EVAL", script, 0, first, min(first + _CHUNK, count))
