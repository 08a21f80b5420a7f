/* SPDX-License-Identifier: Apache-2.0 */
#include "regex_int.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "rules/evaluate.h"

/*
 * MATCH_LIMIT: an honest pattern over 256 bytes stays below a few thousand steps; 10,000 take well
 * under a millisecond, which is the most that one hostile display name can cost per pattern.
 * DEPTH_LIMIT and HEAP_LIMIT_KIB bound the interpreter, JIT_STACK_MAX the compiled code.
 */
enum {
    MATCH_LIMIT = 10000,
    DEPTH_LIMIT = 1000,
    HEAP_LIMIT_KIB = 256,
    JIT_STACK_START = 16 * 1024,
    JIT_STACK_MAX = 128 * 1024,
    NESTING_LIMIT = 50
};

struct rule_regex {
    pcre2_code *code;
};

struct rule_matcher {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

static void describe(int code, size_t offset, struct rule_regex_error *problem)
{
    problem->offset = offset;
    if (pcre2_get_error_message(code, (PCRE2_UCHAR *)problem->message, sizeof(problem->message)) ==
        PCRE2_ERROR_BADDATA)
        problem->message[0] = '\0';
}

static int compile(struct slice pattern, bool ignore_case, pcre2_code **compiled,
                   struct rule_regex_error *problem)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (context == NULL)
        return -ENOMEM;
    pcre2_set_max_pattern_length(context, RULE_REGEX_PATTERN_MAX);
    pcre2_set_parens_nest_limit(context, NESTING_LIMIT);

    uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C |
                       PCRE2_NO_AUTO_CAPTURE;
    if (ignore_case)
        options |= PCRE2_CASELESS;
    int code = 0;
    PCRE2_SIZE offset = 0;
    /* PCRE2 10.42 does not take NULL for an empty pattern. */
    const char *bytes = pattern.length > 0 ? pattern.data : "";
    *compiled = pcre2_compile((PCRE2_SPTR)bytes, pattern.length, options, &code, &offset, context);
    pcre2_compile_context_free(context);
    if (*compiled != NULL)
        return 0;
    if (code == PCRE2_ERROR_NOMEMORY)
        return -ENOMEM;
    describe(code, offset, problem);
    return -EBADMSG;
}

int rule_regex_create(struct slice pattern, bool ignore_case, struct rule_regex **regex,
                      struct rule_regex_error *problem)
{
    struct rule_regex *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    int error = compile(pattern, ignore_case, &made->code, problem);
    if (error != 0) {
        free(made);
        return error;
    }
    /* Where no executable memory is to be had (hardened service units), the interpreter serves. */
    (void)pcre2_jit_compile(made->code, PCRE2_JIT_COMPLETE);
    *regex = made;
    return 0;
}

int rule_regex_check(struct slice pattern, bool ignore_case, struct rule_regex_error *problem)
{
    pcre2_code *code = NULL;
    int error = compile(pattern, ignore_case, &code, problem);
    pcre2_code_free(code);
    return error;
}

void rule_regex_destroy(struct rule_regex *regex)
{
    if (regex == NULL)
        return;
    pcre2_code_free(regex->code);
    free(regex);
}

int rule_matcher_create(struct rule_matcher **matcher)
{
    struct rule_matcher *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    made->data = pcre2_match_data_create(1, NULL);
    made->context = pcre2_match_context_create(NULL);
    made->stack = pcre2_jit_stack_create(JIT_STACK_START, JIT_STACK_MAX, NULL);
    if (made->data == NULL || made->context == NULL) {
        rule_matcher_destroy(made);
        return -ENOMEM;
    }
    pcre2_set_match_limit(made->context, MATCH_LIMIT);
    pcre2_set_depth_limit(made->context, DEPTH_LIMIT);
    pcre2_set_heap_limit(made->context, HEAP_LIMIT_KIB);
    /* NULL (no JIT in this PCRE2): compiled code would use 32 KiB of the thread's own stack. */
    pcre2_jit_stack_assign(made->context, NULL, made->stack);
    *matcher = made;
    return 0;
}

void rule_matcher_destroy(struct rule_matcher *matcher)
{
    if (matcher == NULL)
        return;
    pcre2_jit_stack_free(matcher->stack);
    pcre2_match_context_free(matcher->context);
    pcre2_match_data_free(matcher->data);
    free(matcher);
}

int rule_regex_match(const struct rule_regex *regex, struct rule_matcher *matcher,
                     struct slice subject)
{
    if (subject.length > RULE_SUBJECT_MAX)
        return -EFBIG;
    const char *bytes = subject.length > 0 ? subject.data : "";
    int found = pcre2_match(regex->code, (PCRE2_SPTR)bytes, subject.length, 0, 0, matcher->data,
                            matcher->context);
    if (found >= 0)
        return 1;
    return found == PCRE2_ERROR_NOMATCH ? 0 : ERROR_LIMIT;
}
