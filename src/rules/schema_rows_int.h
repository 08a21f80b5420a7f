/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_rows: rows that rules, groups and scorecards have in common.
 *
 * `structure` is the struct that the row fills, with members of these names.
 */
#ifndef RINGFENCE_RULES_SCHEMA_ROWS_INT_H
#define RINGFENCE_RULES_SCHEMA_ROWS_INT_H

#include "schema_int.h"

/* clang-format off */
#define RULE_ID_ROW(structure, text)       \
    {.key = "id",                          \
     .type = CONF_TEXT,                    \
     .flags = CONF_REQUIRED,               \
     .max = RULE_ID_MAX,                   \
     CONF_FIELD(structure, id),            \
     .help = (text)}

#define RULE_TITLE_ROW(structure)          \
    {.key = "title",                       \
     .type = CONF_CUSTOM,                  \
     .format = &rule_format_title,         \
     .section = &rule_title_section,       \
     CONF_FIELD(structure, title),         \
     .help = "What people read; a text, or one per language."}

#define RULE_WHEN_ROW(structure, text)     \
    {.key = "when",                        \
     .type = CONF_CUSTOM,                  \
     .format = &rule_format_condition,     \
     .argument = RULE_KEEP_SCALAR,         \
     CONF_FIELD(structure, when),          \
     .help = (text)}

#define RULE_UNLESS_ROW(structure, text)   \
    {.key = "unless",                      \
     .type = CONF_CUSTOM,                  \
     .format = &rule_format_condition,     \
     .argument = RULE_KEEP_SCALAR,         \
     CONF_FIELD(structure, unless),        \
     .help = (text)}

#define RULE_LIFE_ROWS(structure)                               \
    {.key = "type",                                             \
     .type = CONF_CUSTOM,                                       \
     .format = &rule_format_token,                              \
     .argument = RULE_SCAM_TYPE_MAX,                            \
     CONF_FIELD(structure, life.type),                          \
     .help = "The scam type that it stands for."},              \
    {.key = "mode",                                             \
     .type = CONF_CHOICE,                                       \
     .choices = rule_mode_choices,                              \
     .fallback = "enforce",                                     \
     CONF_FIELD(structure, life.mode),                          \
     .help = "Whether it counts, is tried, or rests."},         \
    {.key = "starts",                                           \
     .type = CONF_CUSTOM,                                       \
     .format = &rule_format_time,                               \
     CONF_FIELD(structure, life.starts_us),                     \
     .help = "When it begins to apply."},                       \
    {.key = "expires",                                          \
     .type = CONF_CUSTOM,                                       \
     .format = &rule_format_time,                               \
     CONF_FIELD(structure, life.expires_us),                    \
     .help = "From when on it applies no more."},               \
    {.key = "owner",                                            \
     .type = CONF_TEXT,                                         \
     .max = RULE_NOTE_MAX,                                      \
     CONF_FIELD(structure, life.owner),                         \
     .help = "Who answers for it."},                            \
    {.key = "ticket",                                           \
     .type = CONF_TEXT,                                         \
     .max = RULE_NOTE_MAX,                                      \
     CONF_FIELD(structure, life.ticket),                        \
     .help = "Where it was decided."}

#define RULE_LIMIT_ROWS(structure)                                                             \
    {.key = "rollout",                                                                         \
     .type = CONF_PERCENT,                                                                     \
     .fallback = "100%",                                                                       \
     CONF_FIELD(structure, rollout),                                                           \
     .help = "The share of calls for which it is enforced, chosen by Call-ID; for the others " \
             "it is in shadow."},                                                              \
    {.key = "budget",                                                                          \
     .type = CONF_CUSTOM,                                                                      \
     .format = &rule_format_rate,                                                              \
     CONF_FIELD(structure, budget),                                                            \
     .help = "How many calls it may block in a time; beyond it, it drops to shadow."}
/* clang-format on */

#endif
