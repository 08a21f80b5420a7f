/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/file.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>

#include "base/unpack_stream.h"

struct tap_file {
    pcap_t *pcap;
    struct unpack_stream *stream; /* of the file that pcap owns */
    enum tap_link link;
    uint64_t number;
    struct pcap_pkthdr *header; /* of the latest packet */
    const u_char *bytes;
    char name[];
};

static int open_pcap(struct tap_file *file, const char *path, char *message, size_t capacity)
{
    char problem[PCAP_ERRBUF_SIZE] = "";
    FILE *stream;
    int error = unpack_stream_open(path, &file->stream, &stream);
    if (error != 0) {
        snprintf(message, capacity, "%s: %s", file->name, error_text(error));
        return error;
    }
    file->pcap = pcap_fopen_offline(stream, problem);
    if (file->pcap == NULL) {
        snprintf(message, capacity, "%s: no capture in pcap or pcapng format: %s", file->name,
                 unpack_stream_error(file->stream) != 0      ? "it is a packed file that is damaged"
                 : unpack_stream_position(file->stream) == 0 ? "it is empty"
                                                             : problem);
        (void)fclose(stream);
        return ERROR_MALFORMED;
    }
    int number = pcap_datalink(file->pcap);
    if (tap_link_of(number, &file->link))
        return 0;
    const char *name = pcap_datalink_val_to_description(number);
    snprintf(message, capacity,
             "%s: its link type is %d (%s), which is not understood; capture on an Ethernet, "
             "loopback or \"any\" interface, or write raw IP",
             file->name, number, name != NULL ? name : "unknown");
    return ERROR_MALFORMED;
}

int tap_file_open(const char *path, char *message, size_t capacity, struct tap_file **file)
{
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    size_t length = strlen(name) + 1;
    struct tap_file *created = calloc(1, sizeof(*created) + length);
    if (created == NULL) {
        snprintf(message, capacity, "%s: %s", name, error_text(-ENOMEM));
        return -ENOMEM;
    }
    memcpy(created->name, name, length);
    int error = open_pcap(created, path, message, capacity);
    if (error != 0) {
        tap_file_close(created);
        return error;
    }
    *file = created;
    return 0;
}

static int damaged(const struct tap_file *file, char *message, size_t capacity)
{
    int error = unpack_stream_error(file->stream);
    snprintf(message, capacity, "%s: packet %llu: %s; the %llu before it were read", file->name,
             (unsigned long long)file->number + 1,
             error == -EBADMSG ? "the packed file is damaged or cut here"
             : error != 0      ? error_text(error)
                               : pcap_geterr(file->pcap),
             (unsigned long long)file->number);
    return ERROR_MALFORMED;
}

int tap_file_next(struct tap_file *file, struct tap_packet *packet, char *message, size_t capacity)
{
    int result = pcap_next_ex(file->pcap, &file->header, &file->bytes);
    if (result == PCAP_ERROR_BREAK)
        return unpack_stream_error(file->stream) == 0 ? ERROR_NOT_FOUND
                                                      : damaged(file, message, capacity);
    if (result != 1)
        return damaged(file, message, capacity);
    const struct pcap_pkthdr *header = file->header;
    int64_t wall_us = (int64_t)header->ts.tv_sec * 1000000 + header->ts.tv_usec;
    *packet = (struct tap_packet){
        .bytes = slice_make((const char *)file->bytes, header->caplen),
        .link = file->link,
        .cut = header->caplen<header->len, .wall_us = wall_us> 0 ? (uint64_t)wall_us : 0,
        .number = ++file->number,
    };
    return 0;
}

uint64_t tap_file_position(const struct tap_file *file)
{
    return unpack_stream_position(file->stream);
}

uint64_t tap_file_size(const struct tap_file *file)
{
    return unpack_stream_size(file->stream);
}

void tap_file_close(struct tap_file *file)
{
    if (file == NULL)
        return;
    /* Closes the stream too. */
    if (file->pcap != NULL)
        pcap_close(file->pcap);
    free(file);
}

/* ---- copies -------------------------------------------------------------------------------- */

struct tap_copy_file {
    pcap_t *pcap;
    pcap_dumper_t *dumper;
    int link; /* libpcap's number */
};

int tap_copy_create(const char *path, const struct tap_file *like, char *message, size_t capacity,
                    struct tap_copy_file **copy)
{
    struct tap_copy_file *created = calloc(1, sizeof(*created));
    int error = -ENOMEM;
    if (created == NULL)
        goto out;
    created->link = pcap_datalink(like->pcap);
    created->pcap = pcap_open_dead(created->link, pcap_snapshot(like->pcap));
    if (created->pcap == NULL)
        goto out;
    created->dumper = pcap_dump_open(created->pcap, path);
    error = created->dumper != NULL ? 0 : -EIO;
out:
    if (error == 0) {
        *copy = created;
        return 0;
    }
    snprintf(message, capacity, "%s",
             created != NULL && created->pcap != NULL ? pcap_geterr(created->pcap)
                                                      : error_text(error));
    (void)!tap_copy_close(created);
    return error;
}

bool tap_copy_takes(const struct tap_copy_file *copy, const struct tap_file *file)
{
    return copy->link == pcap_datalink(file->pcap);
}

void tap_copy_write(struct tap_copy_file *copy, const struct tap_file *file)
{
    pcap_dump((u_char *)copy->dumper, file->header, file->bytes);
}

int tap_copy_close(struct tap_copy_file *copy)
{
    int error = 0;
    if (copy == NULL)
        return 0;
    if (copy->dumper != NULL) {
        if (pcap_dump_flush(copy->dumper) != 0 || ferror(pcap_dump_file(copy->dumper)))
            error = errno != 0 ? -errno : -EIO;
        pcap_dump_close(copy->dumper);
    }
    if (copy->pcap != NULL)
        pcap_close(copy->pcap);
    free(copy);
    return error;
}
