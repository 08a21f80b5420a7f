/* SPDX-License-Identifier: Apache-2.0 */
#include "given_int.h"

#include <errno.h>
#include <stdlib.h>

static const struct rule_value *fetch(void *context, uint16_t feature)
{
    const struct rule_given_call *call = context;
    return &call->values[feature];
}

static bool fetch_header(void *context, struct slice name, struct rule_value *value)
{
    const struct rule_test *test = ((const struct rule_given_call *)context)->test;
    for (size_t i = 0; i < test->header_count; i++) {
        if (slice_equal_nocase(test->headers[i].name, name)) {
            *value = test->headers[i].value;
            return true;
        }
    }
    return false;
}

int rule_given_open(const struct rule_catalogue *catalogue, struct rule_given_call *call)
{
    *call = (struct rule_given_call){
        .inputs = {.context = call,
                   .fetch = fetch,
                   .fetch_header = fetch_header,
                   .rolled_out = true},
        .values = calloc(catalogue->count + 1, sizeof(*call->values)),
        .count = catalogue->count,
    };
    return call->values != NULL ? 0 : -ENOMEM;
}

static void place(struct rule_given_call *call)
{
    for (size_t i = 0; i < call->test->given_count; i++)
        call->values[call->test->given[i].feature] = call->test->given[i].value;
}

void rule_given_take(struct rule_given_call *call, const struct rule_catalogue *catalogue,
                     const struct rule_test *test, rule_derive_fn *derive, void *context)
{
    call->test = test;
    for (size_t i = 0; i < call->count; i++)
        call->values[i] = rule_unknown(catalogue->features[i].type);
    place(call);
    if (derive == NULL)
        return;
    derive(context, call->values, call->count);
    place(call);
}

void rule_given_close(struct rule_given_call *call)
{
    free(call->values);
    call->values = NULL;
}
