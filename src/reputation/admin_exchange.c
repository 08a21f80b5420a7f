/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin_write_int.h"
#include "base/clock.h"

/*
 * KEYS: the key. ARGV: how long it was to last (ms; -1 without end, -2 no key), the number of
 * fields that were read, their names, their values ("" also for none), the number of words to HSET
 * and to HDEL, the seconds to EXPIRE (0: untouched, -1: PERSIST), these words. Beyond two seconds,
 * what the lifetime differs by is another's doing. 1: done; 0: it is not any more what was read.
 */
static const char script[] =
    "local left, expected, fields = redis.call('PTTL', KEYS[1]), tonumber(ARGV[1]), ARGV[2]\n"
    "if (left < 0 or expected < 0) and left ~= expected or math.abs(left - expected) > 2000 then\n"
    "  return 0\n"
    "end\n"
    "if left ~= -2 then\n"
    "  local held = redis.call('HMGET', KEYS[1], unpack(ARGV, 3, 2 + fields))\n"
    "  for i = 1, #held do\n"
    "    if (held[i] or '') ~= ARGV[2 + fields + i] then return 0 end\n"
    "  end\n"
    "end\n"
    "local at = 6 + 2 * fields\n"
    "local sets, drops, lasts = ARGV[at - 3] + 0, ARGV[at - 2] + 0, ARGV[at - 1]\n"
    "if sets > 0 then redis.call('HSET', KEYS[1], unpack(ARGV, at, at + sets - 1)) end\n"
    "at = at + sets\n"
    "if drops > 0 then redis.call('HDEL', KEYS[1], unpack(ARGV, at, at + drops - 1)) end\n"
    "if lasts == '-1' then redis.call('PERSIST', KEYS[1])\n"
    "elseif lasts ~= '0' then redis.call('EXPIRE', KEYS[1], lasts) end\n"
    "return 1\n";

int rep_admin_exchange_offer(struct rep_admin *admin)
{
    static const struct slice words[] = {SLICE_LITERAL("SCRIPT"), SLICE_LITERAL("LOAD"),
                                         SLICE_LITERAL(script)};
    return rep_admin_queue(admin, words, 3);
}

int rep_admin_exchange_take_offer(struct rep_admin *admin)
{
    redisReply *reply;
    int code = rep_admin_take(admin, &reply);
    if (code == 0 && reply->type == REDIS_REPLY_STRING)
        snprintf(admin->exchange, sizeof(admin->exchange), "%s", reply->str);
    freeReplyObject(reply);
    /* An account without the right changes its keys one by one. */
    return code == ERROR_UNAVAILABLE ? code : 0;
}

/* What the PTTL of the reading comes to by now. */
static int64_t lasts_ms(const struct admin_entry *entry)
{
    int64_t passed = (int64_t)(clock_monotonic_us() - entry->read_us) / 1000;
    return entry->lasts_ms < 0        ? entry->lasts_ms
           : entry->lasts_ms > passed ? entry->lasts_ms - passed
                                      : 0;
}

int rep_admin_exchange_send(struct rep_admin *admin, struct slice key,
                            const struct admin_entry *entry, const struct admin_plan *plan)
{
    struct slice words[ADMIN_COMMAND_WORDS] = {SLICE("EVALSHA"), slice_of_text(admin->exchange),
                                               SLICE("1"), key};
    char number[5][ADMIN_TEXT_BYTES];
    unsigned count = 4, numbers = 0;
    unsigned fields = entry->exists ? admin->request.fields : 0;
#define ADD_NUMBER(format, value)                                             \
    (snprintf(number[numbers], sizeof(number[numbers]), "%" format, (value)), \
     words[count++] = slice_of_text(number[numbers++]))
    ADD_NUMBER(PRId64, lasts_ms(entry));
    ADD_NUMBER("u", fields);
    memcpy(&words[count], &admin->request.words[2], fields * sizeof(words[0]));
    memcpy(&words[count + fields], entry->field, fields * sizeof(words[0]));
    count += 2 * fields;
    ADD_NUMBER("u", plan->sets);
    ADD_NUMBER("u", plan->drops);
    ADD_NUMBER(PRId64, plan->persist ? INT64_C(-1) : (int64_t)plan->expire_s);
#undef ADD_NUMBER
    memcpy(&words[count], plan->set, plan->sets * sizeof(words[0]));
    memcpy(&words[count + plan->sets], plan->drop, plan->drops * sizeof(words[0]));
    return rep_admin_queue(admin, words, count + plan->sets + plan->drops);
}

int rep_admin_exchange_take(struct rep_admin *admin)
{
    redisReply *reply;
    int code = rep_admin_take(admin, &reply);
    if (code == 0 && (reply->type != REDIS_REPLY_INTEGER || reply->integer != 1))
        code = -EAGAIN;
    freeReplyObject(reply);
    return code;
}
