/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema: the keys of rule files as rows, for the reference and for editors.
 */
#ifndef RINGFENCE_RULES_SCHEMA_H
#define RINGFENCE_RULES_SCHEMA_H

struct conf_section;

extern const struct conf_section rule_file_section;
extern const struct conf_section rule_list_section;   /* each value under lists: */
extern const struct conf_section rule_table_section;  /* each value under tables: */
extern const struct conf_section rule_rule_section;   /* each item of rules: */
extern const struct conf_section rule_group_section;  /* each item of groups: */
extern const struct conf_section rule_card_section;   /* each item of scorecards: */
extern const struct conf_section rule_budget_section; /* each item of budgets: */
extern const struct conf_section rule_action_section; /* action: of a rule */
extern const struct conf_section rule_test_section;   /* each item of tests: of a rule */
extern const struct conf_section rule_step_section;   /* each item of policy: */
extern const struct conf_section rule_suite_section;  /* a file of tests */

#endif
