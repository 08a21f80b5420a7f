/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/json.h"
#include "number_int.h"
#include "stats/json.h"

enum { TIMEOUT_MS = 3000, ANSWER_BYTES = 64 << 10, TOLERANCE_S = 3 };

/* What the running daemon holds. */
struct holding {
    bool running;
    bool known;
    char refusal[160];
    struct json_object *object;
};

static int keep_line(void *argument, struct slice line, struct json_object *object)
{
    struct holding *holding = argument;
    (void)line;
    json_object_put(holding->object);
    holding->object = json_object_get(object);
    return 0;
}

/* A daemon that does not run is no reason to complain. */
static void ask_daemon(struct cli *cli, const char *number, struct holding *holding)
{
    struct ctl_client *client = NULL;
    struct ctl_answer answer = {.status = CTL_STATUS_FAILED};
    char *path = cli_control_path(cli);
    struct json_object *arguments = json_object_new_object();
    if (path != NULL && arguments != NULL &&
        json_object_object_add(arguments, "number", json_object_new_string(number)) == 0 &&
        ctl_client_open(path, TIMEOUT_MS, &client) == 0 &&
        ctl_client_call(client, "number get", arguments, keep_line, holding, &answer) == 0) {
        holding->running = true;
        holding->known = answer.status == CTL_STATUS_OK && holding->object != NULL;
        snprintf(holding->refusal, sizeof(holding->refusal), "%.150s", answer.message);
    }
    ctl_client_close(client);
    json_object_put(arguments);
    free(path);
}

/* ---- whether they agree -------------------------------------------------------------------- */

static bool same_text(struct json_object *object, const char *key, const char *text)
{
    const char *held = ctl_json_text(object, key);
    return strcmp(held != NULL ? held : "", text) == 0;
}

static bool same_end(struct json_object *object, uint64_t expires_s)
{
    const char *held = ctl_json_text(object, "expires");
    uint64_t held_s = 0;
    if (held != NULL && rep_time_parse(slice_of_text(held), &held_s) != 0)
        return false;
    uint64_t difference = held_s > expires_s ? held_s - expires_s : expires_s - held_s;
    return (held_s == 0) == (expires_s == 0) && difference <= TOLERANCE_S;
}

/* NULL when the daemon holds what Redis comes to, else what differs. */
static const char *difference(const struct rep_record *record, const struct holding *holding)
{
    struct json_object *object = holding->object;
    if (!holding->known)
        return record->counts ? "the daemon does not hold it" : NULL;
    if (!record->counts)
        return "the daemon holds what does not count in Redis";
    if (ctl_json_integer(object, "score", REP_SCORE_UNKNOWN) != record->combined.score)
        return "the score differs";
    if (!same_text(object, "list", rep_list_text(record->combined.list)))
        return "the list differs";
    if (!same_text(object, "type", record->combined_type) ||
        !same_text(object, "source", record->combined_source))
        return "type or source differ";
    return same_end(object, record->combined.expires_s) ? NULL : "the expiry differs";
}

/* ---- as JSON ------------------------------------------------------------------------------- */

static void write_plain(struct stats_json *json, const struct rep_record *record)
{
    const struct {
        const char *name;
        const char *text;
    } fields[] = {{"key", record->key},         {"score", record->score},
                  {"list", record->list},       {"type", record->type},
                  {"source", record->source},   {"note", record->note},
                  {"case", record->reference},  {"since", record->since},
                  {"expires", record->expires}, {"reassigned", record->reassigned}};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (fields[i].text[0] != '\0')
            stats_json_text(json, fields[i].name, fields[i].text);
    if (record->expires_in_s >= 0)
        stats_json_int(json, "expires_in_s", record->expires_in_s);
}

static void write_part(struct stats_json *json, const struct rep_record_part *part)
{
    struct slice value[REP_PART_COUNT];
    rep_part_split(slice_of_text(part->text), value);
    stats_json_begin_object(json, NULL);
    stats_json_text(json, "source", part->source);
    for (unsigned i = 0; i < REP_PART_COUNT; i++)
        stats_json_slice(json, rep_part_word(i), value[i]);
    stats_json_text(json, "counts", part->configured ? "yes" : "not configured");
    stats_json_end_object(json);
}

static void write_combined(struct stats_json *json, const struct rep_record *record)
{
    stats_json_begin_object(json, "combined");
    if (record->counts) {
        if (record->combined.score >= 0)
            stats_json_int(json, "score", record->combined.score);
        stats_json_text(json, "list", rep_list_text(record->combined.list));
        stats_json_text(json, "type", record->combined_type);
        stats_json_text(json, "source", record->combined_source);
        if (record->combined.expires_s != 0)
            stats_json_time(json, "expires", record->combined.expires_s * 1000000);
    }
    stats_json_end_object(json);
}

static void write_daemon(struct stats_json *json, const struct rep_settings *settings,
                         const struct rep_record *record, const struct holding *holding)
{
    if (settings->mode == REP_MODE_LOOKUP) {
        stats_json_text(json, "daemon", "mode lookup: it asks Redis for each call");
        return;
    }
    if (!holding->running) {
        stats_json_text(json, "daemon", "it does not run here");
        return;
    }
    const char *differs = difference(record, holding);
    if (holding->known)
        stats_json_raw(
            json, "daemon",
            slice_of_text(json_object_to_json_string_ext(holding->object, JSON_C_TO_STRING_PLAIN)));
    else
        stats_json_text(json, "daemon", holding->refusal);
    stats_json_boolean(json, "agree", differs == NULL);
    if (differs != NULL)
        stats_json_text(json, "differs", differs);
}

static int show(struct cli_store *store, const struct rep_record *record,
                const struct holding *holding)
{
    struct json_object *object;
    char *memory = malloc(ANSWER_BYTES);
    if (memory == NULL)
        return -ENOMEM;
    struct buffer buffer = buffer_over(memory, ANSWER_BYTES);
    struct stats_json json = stats_json_into(&buffer);
    stats_json_begin_object(&json, NULL);
    write_plain(&json, record);
    if (record->parts > 0) {
        stats_json_begin_array(&json, "sources");
        for (unsigned i = 0; i < record->parts; i++)
            write_part(&json, &record->part[i]);
        stats_json_end_array(&json);
    }
    write_combined(&json, record);
    write_daemon(&json, &store->settings, record, holding);
    stats_json_end_object(&json);
    int error =
        buffer.overflow ? -ENOMEM : ctl_json_parse_object(buffer_slice(&buffer), &object, NULL);
    if (error == 0) {
        if (store->cli->json)
            cli_print_line(store->cli, buffer_slice(&buffer), object);
        else
            cli_show_object(&store->cli->out, object);
        json_object_put(object);
    }
    free(memory);
    return error;
}

static int get_from_redis(struct cli_store *store, const char *number)
{
    struct holding holding = {0};
    struct slice text = slice_of_text(number);
    struct rep_record *record = malloc(sizeof(*record));
    if (record == NULL)
        return cli_store_failed(store, text, -ENOMEM);
    int error = rep_admin_get(store->admin, text, clock_wall_us() / 1000000, record);
    if (error == 0) {
        if (store->settings.mode == REP_MODE_REPLICA)
            ask_daemon(store->cli, number, &holding);
        error = show(store, record, &holding);
    }
    json_object_put(holding.object);
    free(record);
    return error == 0 ? CLI_EXIT_OK : cli_store_failed(store, text, error);
}

int cli_run_number_get(struct cli *cli, char **arguments, size_t count)
{
    struct cli_number_options options = {0};
    struct cli_store store;
    if (!cli_take_options(cli, cli_number_options, &options, arguments, &count))
        return CLI_EXIT_USAGE;
    int status = cli_store_open(cli, &options, &store);
    if (status == CLI_EXIT_OK)
        status = store.admin != NULL ? get_from_redis(&store, arguments[0])
                                     : cli_ask_number(cli, "number get", arguments[0]);
    cli_store_close(&store);
    return status;
}
