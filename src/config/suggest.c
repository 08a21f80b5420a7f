/* SPDX-License-Identifier: Apache-2.0 */
#include "config/suggest.h"

#define WORD_LIMIT 64

static unsigned char lower(char byte)
{
    unsigned char value = (unsigned char)byte;

    return value >= 'A' && value <= 'Z' ? (unsigned char)(value + 32) : value;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment; three rows of its matrix suffice. */
unsigned conf_distance(struct slice a, struct slice b, unsigned limit)
{
    unsigned rows[3][WORD_LIMIT + 1];
    size_t gap = a.length > b.length ? a.length - b.length : b.length - a.length;

    if (a.length > WORD_LIMIT || b.length > WORD_LIMIT || gap > limit)
        return limit + 1;
    for (unsigned j = 0; j <= b.length; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a.length; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i - 1) % 3];

        row[0] = i;
        for (unsigned j = 1; j <= b.length; j++) {
            unsigned char x = lower(a.data[i - 1]);
            unsigned char y = lower(b.data[j - 1]);

            row[j] = least(above[j - 1] + (x != y), least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && x == lower(b.data[j - 2]) && lower(a.data[i - 2]) == y)
                row[j] = least(row[j], rows[(i - 2) % 3][j - 2] + 1);
        }
    }

    unsigned distance = rows[a.length % 3][b.length];

    return distance > limit ? limit + 1 : distance;
}

void conf_suggestion_offer(struct conf_suggestion *suggestion, struct slice candidate)
{
    unsigned limit = (unsigned)(suggestion->word.length / 3);

    if (suggestion->word.length > WORD_LIMIT)
        return;
    if (suggestion->best.data != NULL) {
        if (suggestion->distance == 0)
            return;
        limit = suggestion->distance - 1;
    }

    unsigned distance = conf_distance(suggestion->word, candidate, limit);

    if (distance > limit)
        return;
    suggestion->best = candidate;
    suggestion->distance = distance;
}
