/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/live.h"

#include <errno.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* How long the kernel gathers packets before it wakes the reader. */
enum { GATHER_MS = 10 };

struct tap_live {
    pcap_t *pcap;
    enum tap_link link;
    int descriptor;
    struct tap_path *path; /* while reading */
    uint64_t number;
    /* libpcap counts in 32 bits, which come round. */
    struct pcap_stat last;
    struct tap_live_figures figures;
    char name[];
};

/* ---- the filter ---------------------------------------------------------------------------- */

static void append_ports(struct buffer *filter, const uint16_t *ports, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_format(filter, "%sport %u", i > 0 ? " or " : "", ports[i]);
}

/* What `port` means stops at the first fragment of IPv4, and at extension headers of IPv6. */
static void append_base(struct buffer *filter, const uint16_t *ports, size_t count)
{
    buffer_append_literal(filter, "(");
    append_ports(filter, ports, count);
    buffer_append_literal(filter, " or (ip and ip[6:2] & 0x1fff != 0)"
                                  " or (ip6 and (ip6[6] = 44 or ip6[6] = 0 or ip6[6] = 60))"
                                  " or ip proto 4 or ip proto 41 or ip proto 47"
                                  " or ip6 proto 4 or ip6 proto 41 or ip6 proto 47"
                                  " or udp port 2152 or udp port 4789 or udp port 8472)");
}

void tap_filter_append(struct buffer *filter, const uint16_t *ports, size_t count)
{
    if (count == 0)
        return;
    /* `vlan` moves what stands behind it by a tag, so it comes last; types are asked for by number
     * where the keyword would move things too. */
    append_base(filter, ports, count);
    buffer_append_literal(filter, " or ether proto 0x8847 or ether proto 0x8848"
                                  " or ether proto 0x8864 or (vlan and (");
    append_base(filter, ports, count);
    buffer_append_literal(filter, " or ether proto 0x8847 or (vlan and ");
    append_base(filter, ports, count);
    buffer_append_literal(filter, ")))");
}

/* ---- opening ------------------------------------------------------------------------------- */

static int open_failed(struct tap_live *live, int status, char *message, size_t capacity)
{
    const char *detail = pcap_geterr(live->pcap);
    if (status == PCAP_ERROR_PERM_DENIED || status == PCAP_ERROR_PROMISC_PERM_DENIED) {
        snprintf(message, capacity,
                 "%s: capturing takes CAP_NET_RAW: start as root, or give it by "
                 "AmbientCapabilities",
                 live->name);
        return -EPERM;
    }
    snprintf(message, capacity, "%s: %s", live->name,
             detail[0] != '\0' ? detail : pcap_statustostr(status));
    return ERROR_UNAVAILABLE;
}

static int activate(struct tap_live *live, const struct tap_live_settings *settings, char *message,
                    size_t capacity)
{
    char problem[PCAP_ERRBUF_SIZE] = "";
    live->pcap = pcap_create(settings->interface, problem);
    if (live->pcap == NULL) {
        snprintf(message, capacity, "%s: %s", live->name, problem);
        return ERROR_UNAVAILABLE;
    }
    pcap_set_snaplen(live->pcap, (int)settings->snap_length);
    pcap_set_promisc(live->pcap, settings->promiscuous ? 1 : 0);
    pcap_set_timeout(live->pcap, GATHER_MS);
    pcap_set_buffer_size(live->pcap, (int)settings->buffer_bytes);
    int status = pcap_activate(live->pcap);
    if (status < 0)
        return open_failed(live, status, message, capacity);
    if (pcap_setnonblock(live->pcap, 1, problem) != 0) {
        snprintf(message, capacity, "%s: %s", live->name, problem);
        return ERROR_UNAVAILABLE;
    }
    return 0;
}

static int set_filter(struct tap_live *live, const char *filter, char *message, size_t capacity)
{
    struct bpf_program program;
    if (filter[0] == '\0')
        return 0;
    if (pcap_compile(live->pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) != 0) {
        snprintf(message, capacity, "%s: filter \"%s\": %s", live->name, filter,
                 pcap_geterr(live->pcap));
        return -EINVAL;
    }
    int status = pcap_setfilter(live->pcap, &program);
    pcap_freecode(&program);
    if (status == 0)
        return 0;
    snprintf(message, capacity, "%s: filter: %s", live->name, pcap_geterr(live->pcap));
    return ERROR_UNAVAILABLE;
}

int tap_live_open(const struct tap_live_settings *settings, char *message, size_t capacity,
                  struct tap_live **live)
{
    size_t length = strlen(settings->interface) + 1;
    struct tap_live *created = calloc(1, sizeof(*created) + length);
    if (created == NULL) {
        snprintf(message, capacity, "%s", error_text(-ENOMEM));
        return -ENOMEM;
    }
    memcpy(created->name, settings->interface, length);
    int error = activate(created, settings, message, capacity);
    if (error == 0 && !tap_link_of(pcap_datalink(created->pcap), &created->link)) {
        snprintf(message, capacity, "%s: its link type %d is not understood", created->name,
                 pcap_datalink(created->pcap));
        error = -EINVAL;
    }
    if (error == 0)
        error = set_filter(created, settings->filter, message, capacity);
    if (error != 0) {
        tap_live_close(created);
        return error;
    }
    created->descriptor = pcap_get_selectable_fd(created->pcap);
    *live = created;
    return 0;
}

int tap_live_descriptor(const struct tap_live *live)
{
    return live->descriptor;
}

/* ---- reading ------------------------------------------------------------------------------- */

static void take(u_char *argument, const struct pcap_pkthdr *header, const u_char *bytes)
{
    struct tap_live *live = (struct tap_live *)(void *)argument;
    const struct tap_packet packet = {
        .bytes = slice_make((const char *)bytes, header->caplen),
        .link = live->link,
        .cut = header->caplen < header->len,
        .wall_us = (uint64_t)header->ts.tv_sec * 1000000 + (uint64_t)header->ts.tv_usec,
        .number = ++live->number,
    };
    tap_path_packet(live->path, &packet);
}

int tap_live_read(struct tap_live *live, struct tap_path *path, int limit, char *message,
                  size_t capacity)
{
    live->path = path;
    int count = pcap_dispatch(live->pcap, limit, take, (u_char *)live);
    if (count >= 0)
        return count;
    snprintf(message, capacity, "%s: %s", live->name, pcap_geterr(live->pcap));
    return ERROR_UNAVAILABLE;
}

bool tap_live_is_up(const struct tap_live *live)
{
    struct ifreq request = {.ifr_flags = 0};
    int probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0 || strlen(live->name) >= sizeof(request.ifr_name))
        return true;
    memcpy(request.ifr_name, live->name, strlen(live->name));
    /* "any" has no flags: it is up as long as one of them is. */
    bool is_down = ioctl(probe, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) == 0;
    close(probe);
    return !is_down;
}

void tap_live_figures(struct tap_live *live, struct tap_live_figures *figures)
{
    struct pcap_stat now;
    if (pcap_stats(live->pcap, &now) == 0) {
        live->figures.received += (uint32_t)(now.ps_recv - live->last.ps_recv);
        live->figures.dropped += (uint32_t)(now.ps_drop - live->last.ps_drop);
        live->figures.dropped_by_interface += (uint32_t)(now.ps_ifdrop - live->last.ps_ifdrop);
        live->last = now;
    }
    *figures = live->figures;
}

void tap_live_close(struct tap_live *live)
{
    if (live == NULL)
        return;
    if (live->pcap != NULL)
        pcap_close(live->pcap);
    free(live);
}
