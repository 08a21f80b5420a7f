/* SPDX-License-Identifier: Apache-2.0 */
#include "generator.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EVERY (GENERATOR_SECOND / 1000)

static const struct {
    const char *word;
    enum hop_mode mode;
} modes[] = {
    {"answer", HOP_ANSWERS}, {"silent", HOP_SILENT},  {"closed", HOP_CLOSED},
    {"slow", HOP_SLOW},      {"refuse", HOP_REFUSES}, {"reset", HOP_RESETS},
};

/* What no command is ends everything, so that it is seen. */
static void obey(struct generator_steering *steering, struct generator_calls *calls,
                 struct generator_results *results, uint64_t now)
{
    char word[16] = "";
    unsigned callee = 0;
    unsigned value = 0;
    int read = sscanf(steering->line, "%15s %u %u", word, &callee, &value);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (read >= 2 && strcmp(word, modes[i].word) == 0 &&
            calls_set_mode(calls, callee, modes[i].mode, value))
            return;
    }
    if (strcmp(word, "mark") == 0) {
        results_mark(results, now);
        return;
    }
    if (strcmp(word, "end") != 0)
        fprintf(stderr, "generator: \"%s\" is no command\n", steering->line);
    steering->ended = true;
}

void steering_turn(struct generator_steering *steering, struct generator_calls *calls,
                   struct generator_results *results, uint64_t now)
{
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    char *end;
    if (steering->ended || now < steering->looked_at + EVERY)
        return;
    steering->looked_at = now;
    if (poll(&input, 1, 0) <= 0)
        return;
    size_t room = sizeof(steering->line) - 1 - steering->length;
    ssize_t got = read(STDIN_FILENO, steering->line + steering->length, room);
    if (got <= 0) {
        steering->ended = true;
        return;
    }
    steering->length += (size_t)got;
    steering->line[steering->length] = 0;
    while ((end = strchr(steering->line, '\n')) != NULL) {
        *end = 0;
        obey(steering, calls, results, now);
        steering->length -= (size_t)(end + 1 - steering->line);
        memmove(steering->line, end + 1, steering->length + 1);
    }
}
