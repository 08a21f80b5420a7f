/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <json-c/json.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "cli_int.h"
#include "config/document.h"
#include "control/settings.h"

enum { CONFIG_LIMIT = 16 << 20, AUDIT_TIMEOUT_MS = 2000 };

/*
 * Reads one key of the configuration without judging the rest of it: a file with errors must not
 * keep an operator from asking the daemon that runs.
 */
static char *configured_path(const struct cli *cli, const char *section, const char *fallback)
{
    struct conf_report *report = NULL;
    struct conf_document *document = NULL;
    char *path = NULL;
    if (conf_report_create(&report) == 0 &&
        conf_document_load(cli->config, NULL, report, &document) == 0) {
        const struct conf_node *node = conf_node_get(conf_document_root(document), section);
        const struct conf_node *socket = node != NULL ? conf_node_get(node, "socket") : NULL;
        if (socket != NULL && socket->kind == CONF_NODE_SCALAR && socket->text.length > 0)
            path = strndup(socket->text.data, socket->text.length);
    }
    conf_document_destroy(document);
    conf_report_destroy(report);
    return path != NULL ? path : strdup(fallback);
}

char *cli_control_path(const struct cli *cli)
{
    return cli->control != NULL ? strdup(cli->control)
                                : configured_path(cli, "control", CTL_DEFAULT_CONTROL_SOCKET);
}

char *cli_stats_path(const struct cli *cli)
{
    return configured_path(cli, "stats", CTL_DEFAULT_STATS_SOCKET);
}

static int complain_unreachable(const struct cli *cli, const char *path, int error)
{
    const char *remedy = error == -EACCES ? "you lack the right to connect: join the socket's group"
                         : error == -ENOENT || error == -ECONNREFUSED
                             ? "is ringfenced running? --control names another socket"
                         : error == -ETIMEDOUT ? "the daemon does not answer"
                                               : "the daemon hung up";
    cli_complain(cli, "%s: %s; %s", path, error_text(error), remedy);
    return CLI_EXIT_UNREACHABLE;
}

int cli_ask(struct cli *cli, const char *command, struct json_object *arguments,
            unsigned timeout_ms, ctl_answer_fn *line, void *argument, struct ctl_answer *answer)
{
    struct ctl_client *client = NULL;
    char *path = cli_control_path(cli);
    int error = path != NULL ? ctl_client_open(path, timeout_ms, &client) : -ENOMEM;
    if (error == 0)
        error = ctl_client_call(client, command, arguments, line, argument, answer);
    int status = CLI_EXIT_OK;
    if (error == -EBADMSG || error == -ENOMEM) {
        cli_complain(cli, "the answer cannot be read: %s", error_text(error));
        status = CLI_EXIT_NO;
    } else if (error != 0) {
        status = complain_unreachable(cli, path, error);
    }
    ctl_client_close(client);
    free(path);
    return status;
}

int cli_exit_of(const struct cli *cli, const struct ctl_answer *answer)
{
    if (answer->status == CTL_STATUS_OK)
        return CLI_EXIT_OK;
    cli_complain(cli, "%s", answer->message[0] != '\0' ? answer->message : "refused");
    return answer->status == CTL_STATUS_USAGE ? CLI_EXIT_USAGE : CLI_EXIT_NO;
}

int cli_print_line(void *argument, struct slice line, struct json_object *object)
{
    struct cli *cli = argument;
    (void)object;
    fwrite(line.data, 1, line.length, cli->out.stream);
    fputc('\n', cli->out.stream);
    return 0;
}

/* Who is behind sudo(8) matters more than root. */
static void write_syslog(const char *text)
{
    const char *behind = getenv("SUDO_USER");
    const struct passwd *user = getpwuid(getuid());
    openlog("ringfence", LOG_PID, LOG_AUTHPRIV);
    syslog(LOG_NOTICE, "uid %u (%s%s%s) reports: %s", (unsigned)getuid(),
           user != NULL ? user->pw_name : "?", behind != NULL ? ", sudo by " : "",
           behind != NULL ? behind : "", text);
    closelog();
}

void cli_audit(struct cli *cli, const char *text)
{
    struct ctl_client *client = NULL;
    struct ctl_answer answer = {.status = CTL_STATUS_FAILED};
    struct json_object *arguments = json_object_new_object();
    char *path = cli_control_path(cli);
    bool written = false;
    if (path != NULL && arguments != NULL &&
        json_object_object_add(arguments, "text", json_object_new_string(text)) == 0 &&
        ctl_client_open(path, AUDIT_TIMEOUT_MS, &client) == 0)
        written = ctl_client_call(client, "audit", arguments, NULL, NULL, &answer) == 0 &&
                  answer.status == CTL_STATUS_OK;
    if (!written)
        write_syslog(text);
    ctl_client_close(client);
    json_object_put(arguments);
    free(path);
}
