/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/redirect.h"

static const struct conf_choice onward_choices[] = {
    {"302", 302, "Moved Temporarily: go on to the Contact"},
    {"404", 404, "Not Found: nothing is known against it, go on by your own routes"},
    {"503", 503, "Service Unavailable, without Retry-After: take your next route"},
    {NULL, 0, NULL},
};

static const struct conf_choice block_choices[] = {
    {"as_decided", PROXY_REDIRECT_AS_DECIDED, "as the rule (with) or the list (block_with) has it"},
    {"403", PROXY_REDIRECT_403, "Forbidden"},
    {"603", PROXY_REDIRECT_603, "Decline"},
    {"603+", PROXY_REDIRECT_603_PLUS, "Network Blocked (ATIS-1000099)"},
    {"608", PROXY_REDIRECT_608, "Rejected (RFC 8688), with screening.redress_card"},
    {NULL, 0, NULL},
};

static const struct conf_choice contact_choices[] = {
    {"route", PROXY_REDIRECT_TO_ROUTE, "the callee at the target that `routes` give"},
    {"request", PROXY_REDIRECT_TO_REQUEST, "the Request-URI as it came"},
    {NULL, 0, NULL},
};

static const struct conf_row redirect_rows[] = {
    {.key = "allow",
     .type = CONF_CHOICE,
     CONF_FIELD(struct proxy_redirect_settings, allow),
     .fallback = "302",
     .choices = onward_choices,
     .help = "How a call that may go on is answered. Without a Contact to go to, a 302 becomes a "
             "404."},
    {.key = "tag",
     .type = CONF_CHOICE,
     CONF_FIELD(struct proxy_redirect_settings, tag),
     .fallback = "302",
     .choices = onward_choices,
     .help = "How a tagged call is answered. The tag headers are in the answer, and, of a 302, in "
             "the URI of its Contact too (RFC 3261 section 19.1.1)."},
    {.key = "block",
     .type = CONF_CHOICE,
     CONF_FIELD(struct proxy_redirect_settings, block),
     .fallback = "as_decided",
     .choices = block_choices,
     .help = "How a blocked call is answered. A diverted one is always answered 302."},
    {.key = "contact",
     .type = CONF_CHOICE,
     CONF_FIELD(struct proxy_redirect_settings, contact),
     .fallback = "route",
     .choices = contact_choices,
     .help = "Where the 302 to an allowed or tagged call points. `request` is for a peer that "
             "looks at nothing but the code and the headers in it: RFC 3261 section 8.3 has no "
             "redirection to where the request has been."},
};

/* There is no other sign of a section that was written. */
static int note_presence(struct conf_load *load, const struct conf_node *node, void *object)
{
    struct proxy_redirect_settings *settings = object;
    (void)load;
    settings->present = node != NULL;
    return 0;
}

const struct conf_section proxy_redirect_section = {
    .name = "redirect",
    .help = "How a peer that only asks is answered (docs/redirect.md).",
    CONF_ROWS(redirect_rows),
    CONF_OBJECT(struct proxy_redirect_settings),
    .check = note_presence,
};

bool proxy_redirect_needs_route(const struct proxy_redirect_settings *settings)
{
    return settings->present && settings->contact == PROXY_REDIRECT_TO_ROUTE &&
           (settings->allow == 302 || settings->tag == 302);
}
