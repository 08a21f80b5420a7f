/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slice: a read-only run of bytes that somebody else owns.
 *
 * A slice is passed by value, is not terminated, may hold any byte (NUL included) and is valid as
 * long as the memory behind it. An absent slice has data == NULL; an empty one has length == 0.
 */
#ifndef RINGFENCE_BASE_SLICE_H
#define RINGFENCE_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *data;
    size_t length;
};

/* A slice of a string literal, usable in initialisers. */
#define SLICE_LITERAL(text)      \
    {                            \
        (text), sizeof(text) - 1 \
    }
#define SLICE(text) ((struct slice)SLICE_LITERAL(text))

/* For printf-like functions, on cold paths only: printf("%.*s", SLICE_ARGS(name)). */
#define SLICE_ARGS(slice) (int)(slice).length, (slice).data

static inline struct slice slice_make(const char *data, size_t length)
{
    return (struct slice){data, length};
}

static inline struct slice slice_of_text(const char *text)
{
    return (struct slice){text, text ? strlen(text) : 0};
}

static inline struct slice slice_between(const char *first, const char *past)
{
    return (struct slice){first, (size_t)(past - first)};
}

static inline bool slice_is_empty(struct slice slice)
{
    return slice.length == 0;
}

/* NULL for an absent slice: C gives NULL + 0 no meaning. */
static inline const char *slice_past(struct slice slice)
{
    return slice.length > 0 ? slice.data + slice.length : slice.data;
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.length == b.length && (a.length == 0 || (a.data != NULL && b.data != NULL &&
                                                      memcmp(a.data, b.data, a.length) == 0));
}

/* ASCII case is ignored, in the C locale whatever the process's locale is. */
bool slice_equal_nocase(struct slice a, struct slice b);

static inline bool slice_starts_with(struct slice slice, struct slice prefix)
{
    return slice.length >= prefix.length &&
           (prefix.length == 0 ||
            (slice.data != NULL && memcmp(slice.data, prefix.data, prefix.length) == 0));
}

bool slice_starts_with_nocase(struct slice slice, struct slice prefix);

/* From first (clipped to the length) to the end. */
static inline struct slice slice_from(struct slice slice, size_t first)
{
    if (first > slice.length)
        first = slice.length;
    return (struct slice){first > 0 ? slice.data + first : slice.data, slice.length - first};
}

/* At most length bytes from the start. */
static inline struct slice slice_first(struct slice slice, size_t length)
{
    return (struct slice){slice.data, length < slice.length ? length : slice.length};
}

/* Without space, tab, CR and LF at both ends. */
struct slice slice_trim(struct slice slice);

/* Position of the first such byte, or slice.length when there is none. */
static inline size_t slice_find(struct slice slice, char byte)
{
    const char *at = slice.length > 0 ? (const char *)memchr(slice.data, byte, slice.length) : NULL;
    return at != NULL ? (size_t)(at - slice.data) : slice.length;
}

/*
 * Reads an unsigned decimal that fills the whole slice.
 * Returns 0, -EBADMSG when empty or a byte is no digit, -ERANGE beyond maximum.
 */
int slice_to_uint64(struct slice slice, uint64_t maximum, uint64_t *value)
    __attribute__((warn_unused_result));

#endif
