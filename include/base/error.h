/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error: one vocabulary of failure.
 *
 * Functions return 0 or a negative code: -errno values pass through unchanged, our own codes start
 * at -1000. Each own code is one row of ERROR_TABLE, which also gives its text.
 */
#ifndef RINGFENCE_BASE_ERROR_H
#define RINGFENCE_BASE_ERROR_H

#define MUST_CHECK __attribute__((warn_unused_result))

/* X(name, value, text) */
#define ERROR_TABLE(X)                                              \
    X(ERROR_LIMIT, -1000, "a configured limit is reached")          \
    X(ERROR_INCOMPLETE, -1001, "more input is needed")              \
    X(ERROR_MALFORMED, -1002, "malformed input")                    \
    X(ERROR_CONFIG, -1003, "the configuration has errors")          \
    X(ERROR_DISAGREE, -1004, "two readers of one message disagree") \
    X(ERROR_NOT_FOUND, -1005, "not found")                          \
    X(ERROR_NO_ROUTE, -1006, "no route")                            \
    X(ERROR_FORGED, -1007, "a keyed mark does not verify")          \
    X(ERROR_UNAVAILABLE, -1008, "a dependency is not available")    \
    X(ERROR_HELD, -1009, "held until an operator accepts it")

enum error_code {
#define ERROR_ROW(name, value, text) name = (value),
    ERROR_TABLE(ERROR_ROW)
#undef ERROR_ROW
};

/* The text of any code that a function of this project returns; never NULL, never freed. */
const char *error_text(int code);

#endif
