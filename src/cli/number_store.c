/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "daemon/settings.h"
#include "number_int.h"

enum { CONFIG_ARENA = 64 << 10, PASSWORD_MAXIMUM = 4096, SET_TIMEOUT_MS = 10000 };

/* ---- opening ------------------------------------------------------------------------------ */

static int load_settings(struct cli_store *store)
{
    struct cli *cli = store->cli;
    struct conf_report *report = NULL;
    struct conf_document *document = NULL;
    struct daemon_settings settings;
    int error = conf_report_create(&report);
    if (error == 0)
        error = arena_create(CONFIG_ARENA, 0, &store->arena);
    if (error == 0)
        error = conf_document_load(cli->config, NULL, report, &document);
    if (error == 0)
        error = conf_section_load(document, conf_document_root(document), &daemon_section,
                                  store->arena, report, &settings);
    if (error == 0)
        daemon_reputation_convert(&settings.reputation, &store->settings);
    else if (error == ERROR_CONFIG)
        conf_report_print(report, cli->err.stream, cli->err.colour);
    else
        cli_complain(cli, "%s: %s", cli->config, error_text(error));
    conf_document_destroy(document);
    conf_report_destroy(report);
    return error == 0 ? CLI_EXIT_OK : CLI_EXIT_NO;
}

/* Never on the command line, where every user could read it. */
static int take_account(struct cli_store *store, const struct cli_number_options *options)
{
    const char *from_environment = getenv("REDISCLI_AUTH");
    size_t length;
    if (options->redis_user != NULL)
        store->settings.username = options->redis_user;
    if (from_environment != NULL || options->password_file != NULL)
        store->settings.password_file = NULL;
    if (from_environment != NULL)
        store->settings.password = from_environment;
    if (options->password_file == NULL)
        return CLI_EXIT_OK;
    int error = file_read(options->password_file, PASSWORD_MAXIMUM, &store->password, &length);
    if (error != 0) {
        cli_complain(store->cli, "%s: %s", options->password_file, error_text(error));
        return CLI_EXIT_NO;
    }
    store->password[strcspn(store->password, "\r\n")] = '\0';
    store->settings.password = store->password;
    return CLI_EXIT_OK;
}

int cli_store_open(struct cli *cli, const struct cli_number_options *options,
                   struct cli_store *store)
{
    char message[256] = "";
    *store = (struct cli_store){.cli = cli};
    int status = load_settings(store);
    if (status == CLI_EXIT_OK)
        status = take_account(store, options);
    if (status != CLI_EXIT_OK || store->settings.backend == REP_BACKEND_MEMORY)
        return status;
    int error = rep_admin_open(&store->settings, message, sizeof(message), &store->admin);
    if (error == 0)
        return CLI_EXIT_OK;
    store->admin = NULL;
    cli_complain(cli, "Redis: %s", message[0] != '\0' ? message : error_text(error));
    return CLI_EXIT_UNREACHABLE;
}

void cli_store_close(struct cli_store *store)
{
    rep_admin_close(store->admin);
    arena_destroy(store->arena);
    free(store->password);
}

int cli_store_failed(const struct cli_store *store, struct slice number, int error)
{
    struct rep_key key;
    if ((error == -EBADMSG || error == -ENAMETOOLONG) && rep_row_key(number, &key) != 0) {
        cli_complain(store->cli,
                     "\"%.*s\" is neither a number in E.164 (+8613800138000), a prefix (86138*), "
                     "nor raw:TEXT",
                     SLICE_ARGS(number));
        return CLI_EXIT_USAGE;
    }
    if (error == ERROR_NOT_FOUND) {
        cli_complain(store->cli, "%.*s is not known", SLICE_ARGS(number));
        return CLI_EXIT_NO;
    }
    const char *reason = store->admin != NULL ? rep_admin_error(store->admin) : "";
    cli_complain(store->cli, "%.*s: %s", SLICE_ARGS(number),
                 reason[0] != '\0' ? reason : error_text(error));
    return error == ERROR_UNAVAILABLE ? CLI_EXIT_UNREACHABLE : CLI_EXIT_NO;
}

/* ---- setting ------------------------------------------------------------------------------ */

static bool add_text(struct json_object *object, const char *key, struct slice text)
{
    return text.length == 0 ||
           json_object_object_add(object, key,
                                  json_object_new_string_len(text.data, (int)text.length)) == 0;
}

static struct json_object *row_arguments(const struct rep_row *row)
{
    struct json_object *object = json_object_new_object();
    bool good = object != NULL && add_text(object, "number", row->number) &&
                add_text(object, "list", slice_of_text(rep_list_text(row->list))) &&
                add_text(object, "type", row->type) && add_text(object, "source", row->source) &&
                add_text(object, "note", row->note);
    if (good && row->score != REP_SCORE_UNKNOWN)
        good = json_object_object_add(object, "score", json_object_new_int(row->score)) == 0;
    if (good && row->expires_s != 0)
        good = json_object_object_add(object, "expires",
                                      json_object_new_int64((int64_t)row->expires_s)) == 0;
    if (good)
        return object;
    json_object_put(object);
    return NULL;
}

static int set_in_daemon(struct cli_store *store, const struct rep_row *row,
                         struct ctl_answer *answer)
{
    struct json_object *arguments = row_arguments(row);
    if (arguments == NULL) {
        cli_complain(store->cli, "out of memory");
        return CLI_EXIT_NO;
    }
    int status = cli_ask(store->cli, "number set", arguments, SET_TIMEOUT_MS, NULL, NULL, answer);
    json_object_put(arguments);
    return status;
}

int cli_store_set(struct cli_store *store, const struct rep_row *row, struct ctl_answer *answer)
{
    *answer = (struct ctl_answer){.status = CTL_STATUS_OK};
    if (store->admin == NULL)
        return set_in_daemon(store, row, answer);
    int error = rep_admin_set(store->admin, row, clock_wall_us() / 1000000);
    return error == 0 ? CLI_EXIT_OK : cli_store_failed(store, row->number, error);
}
