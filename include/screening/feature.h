/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feature: what rules may ask about a call, each as one row.
 *
 * The row gives the name, the type and the texts from which `ringfence features`, docs/features.md
 * and the JSON Schema derive. The id is the position in the table.
 */
#ifndef RINGFENCE_SCREENING_FEATURE_H
#define RINGFENCE_SCREENING_FEATURE_H

#include "rules/catalogue.h"

#define SCREEN_KINDS                                                                            \
    "mobile fixed fixed_or_mobile tollfree premium shared voip service satellite data unknown " \
    "invalid"

/* X(identifier, name, type, meaning, unit, unknown when, example, choices) */
#define SCREEN_FEATURE_TABLE(X)                                                                    \
    X(CALLER_NUMBER, "caller.number", RULE_NUMBER,                                                 \
      "the network number of the caller: P-Asserted-Identity on a trusted trunk, else From", "",   \
      "it does not normalise", "caller.number starts_with \"+86170\"", NULL)                       \
    X(CALLER_RAW, "caller.raw", RULE_TEXT, "the caller's number as it was written", "", "never",   \
      "caller.raw == \"anonymous\"", NULL)                                                         \
    X(CALLER_VALID, "caller.valid", RULE_FLAG, "the caller's number normalises to E.164", "",      \
      "never", "not caller.valid", NULL)                                                           \
    X(CALLER_COUNTRY, "caller.country", RULE_TEXT, "ISO country code of the caller's number", "",  \
      "the number is not valid", "caller.country == \"CN\"", NULL)                                 \
    X(CALLER_REGION, "caller.region", RULE_TEXT, "province or region of the caller's number", "",  \
      "the numbering plan does not tell", "caller.region == \"Guangdong\"", NULL)                  \
    X(CALLER_KIND, "caller.kind", RULE_TEXT, "kind of number of the caller", "",                   \
      "the number is not valid", "caller.kind == \"voip\"", SCREEN_KINDS)                          \
    X(CALLER_IMITATION, "caller.imitation", RULE_FLAG,                                             \
      "the number dresses up as a service code, or is a protected or allowed number on a trunk "   \
      "that does not originate it",                                                                \
      "", "never", "caller.imitation", NULL)                                                       \
    X(CALLER_PROTECTED, "caller.protected", RULE_FLAG,                                             \
      "the number is that of a protected line (hotline, police, bank)", "", "never",               \
      "caller.protected", NULL)                                                                    \
    X(CALLER_DISPLAY, "caller.display", RULE_TEXT, "display name of the caller", "",               \
      "there is none", "caller.display contains \"bank\"", NULL)                                   \
    X(CALLER_FROM_NUMBER, "caller.from_number", RULE_NUMBER, "the number in From", "",             \
      "it does not normalise", "caller.from_number != caller.asserted_number", NULL)               \
    X(CALLER_ASSERTED_NUMBER, "caller.asserted_number", RULE_NUMBER,                               \
      "the number in the first P-Asserted-Identity, whatever the trunk", "",                       \
      "there is none or it does not normalise", "known(caller.asserted_number)", NULL)             \
    X(CALLER_ANONYMOUS, "caller.anonymous", RULE_FLAG, "the caller withholds the number", "",      \
      "never", "caller.anonymous", NULL)                                                           \
    X(CALLER_IDENTITY_MISMATCH, "caller.identity_mismatch", RULE_FLAG,                             \
      "From and P-Asserted-Identity give different valid numbers", "",                             \
      "either is missing or does not normalise", "caller.identity_mismatch", NULL)                 \
    X(CALLER_DIGITS_APART, "caller.digits_apart", RULE_INTEGER,                                    \
      "of the caller's and the called number, equally long and of one country: how many digits "   \
      "from the first that differs to the end; 0: they are the same",                              \
      "digits", "either is not valid, or they differ in country or length",                        \
      "caller.digits_apart <= 4", NULL)                                                            \
    X(CALLEE_NUMBER, "callee.number", RULE_NUMBER, "the called number (Request-URI)", "",          \
      "it does not normalise", "callee.number starts_with \"+86\"", NULL)                          \
    X(CALLEE_RAW, "callee.raw", RULE_TEXT, "the called number as it was written", "", "never",     \
      "callee.raw == \"\"", NULL)                                                                  \
    X(CALLEE_VALID, "callee.valid", RULE_FLAG, "the called number normalises to E.164", "",        \
      "never", "callee.valid", NULL)                                                               \
    X(CALLEE_COUNTRY, "callee.country", RULE_TEXT, "ISO country code of the called number", "",    \
      "the number is not valid", "callee.country != \"CN\"", NULL)                                 \
    X(CALLEE_REGION, "callee.region", RULE_TEXT, "province or region of the called number", "",    \
      "the numbering plan does not tell", "callee.region == \"Beijing\"", NULL)                    \
    X(CALLEE_KIND, "callee.kind", RULE_TEXT, "kind of number that is called", "",                  \
      "the number is not valid", "callee.kind == \"premium\"", SCREEN_KINDS)                       \
    X(CALLEE_PROTECTED, "callee.protected", RULE_FLAG, "the called line is a protected one", "",   \
      "never", "callee.protected", NULL)                                                           \
    X(DIVERTING_NUMBER, "diverting.number", RULE_NUMBER,                                           \
      "the number that forwarded the call last (Diversion, else History-Info)", "",                \
      "the call was not forwarded or it does not normalise",                                       \
      "diverting.number starts_with \"+86\"", NULL)                                                \
    X(DIVERTING_COUNTRY, "diverting.country", RULE_TEXT, "ISO country of the diverting number",    \
      "", "the call was not forwarded", "diverting.country == \"CN\"", NULL)                       \
    X(DIVERTING_PRESENT, "diverting.present", RULE_FLAG, "the call was forwarded", "", "never",    \
      "diverting.present", NULL)                                                                   \
    X(TRUNK_NAME, "trunk.name", RULE_TEXT, "name of the trunk that the call came in by", "",       \
      "never", "trunk.name == \"sbc-a\"", NULL)                                                    \
    X(TRUNK_ORIGIN, "trunk.origin", RULE_TEXT, "where that trunk's calls come from", "", "never",  \
      "trunk.origin == \"international\"", "international domestic private")                       \
    X(TRUNK_COUNTRY, "trunk.country", RULE_TEXT, "ISO country that the trunk stands in", "",       \
      "never", "trunk.country == \"CN\"", NULL)                                                    \
    X(TRUNK_TRUSTED, "trunk.trusted", RULE_FLAG, "the trunk's identities are believed", "",        \
      "never", "not trunk.trusted", NULL)                                                          \
    X(REPUTATION_SCORE, "reputation.score", RULE_INTEGER, "score of the caller in Redis", "0-100", \
      "no entry speaks of the caller, or none could be read", "reputation.score >= 80", NULL)      \
    X(REPUTATION_LIST, "reputation.list", RULE_TEXT, "list that the caller is on", "",             \
      "none could be read", "reputation.list == \"watch\"", "block allow watch none")              \
    X(REPUTATION_TYPE, "reputation.type", RULE_TEXT, "scam type noted for the caller", "",         \
      "no entry speaks of the caller", "reputation.type == \"loan\"", NULL)                        \
    X(REPUTATION_MATCH, "reputation.match", RULE_TEXT, "what the entry speaks of", "",             \
      "none could be read", "reputation.match == \"prefix\"", "number prefix raw none")            \
    X(MESSAGE_USER_AGENT, "message.user_agent", RULE_TEXT, "User-Agent of the INVITE", "",         \
      "there is none", "message.user_agent matches /friendly-scanner/", NULL)                      \
    X(MESSAGE_SUBJECT, "message.subject", RULE_TEXT, "Subject of the INVITE", "", "there is none", \
      "message.subject contains \"loan\"", NULL)                                                   \
    X(MESSAGE_METHOD, "message.method", RULE_TEXT, "method of the request", "", "never",           \
      "message.method == \"INVITE\"", NULL)                                                        \
    X(MESSAGE_SIZE, "message.size", RULE_INTEGER, "size of the request", "bytes", "never",         \
      "message.size > 4000", NULL)                                                                 \
    X(MESSAGE_HAS_IDENTITY, "message.has_identity", RULE_FLAG, "an Identity header is there", "",  \
      "never", "message.has_identity", NULL)                                                       \
    X(MESSAGE_HAS_DIVERSION, "message.has_diversion", RULE_FLAG, "a Diversion header is there",    \
      "", "never", "message.has_diversion", NULL)                                                  \
    X(MESSAGE_SOURCE, "message.source", RULE_ADDRESS, "the address that the request came from",    \
      "", "the call is hypothetical", "message.source in [\"10.0.0.0/8\", \"2001:db8::/32\"]",     \
      NULL)                                                                                        \
    X(TIME_NOW, "time.now", RULE_TIME, "when the call came in", "", "never",                       \
      "time.now >= 2027-06-30T08:00:00+08:00", NULL)                                               \
    X(TIME_HOUR, "time.hour", RULE_INTEGER, "local hour at which the call came in", "0-23",        \
      "never", "time.hour >= 22 or time.hour < 7", NULL)                                           \
    X(TIME_MINUTE, "time.minute", RULE_INTEGER, "local minute of the hour", "0-59", "never",       \
      "time.minute < 5", NULL)                                                                     \
    X(TIME_WEEKDAY, "time.weekday", RULE_TEXT, "local day of the week", "", "never",               \
      "time.weekday in [\"sat\", \"sun\"]", "mon tue wed thu fri sat sun")

enum screen_feature {
#define SCREEN_FEATURE_ROW(identifier, name, type, meaning, unit, unknown, example, choices) \
    SCREEN_FEATURE_##identifier,
    SCREEN_FEATURE_TABLE(SCREEN_FEATURE_ROW)
#undef SCREEN_FEATURE_ROW
        SCREEN_FEATURE_COUNT
};

/* The catalogue that rule files are compiled against. */
extern const struct rule_catalogue screen_catalogue;

#endif
