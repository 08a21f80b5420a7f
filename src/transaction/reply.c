/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction_int.h"

/* Section 18.2.2: responses go to maddr where there is one. Names are not resolved here, so a
 * maddr that is no address of the listener's family counts as absent. */
static bool reply_to_maddr(const struct smsg_via *via, const struct tp_packet *packet,
                           struct tp_address *to)
{
    struct tp_address address;
    uint16_t port = via->port != 0 ? via->port : tp_protocol_rows[packet->protocol].port;
    if (via->maddr.data == NULL || tp_address_from_host(via->maddr, port, &address) != 0 ||
        address.family != packet->source.family)
        return false;
    *to = address;
    return true;
}

void txn_reply_to(const struct smsg *request, const struct tp_packet *packet,
                  struct txn_reply *reply)
{
    const struct smsg_via *via = &request->via;
    struct tp_address sent_by;
    bool literal = tp_address_from_host(via->host, 0, &sent_by) == 0;

    reply->received = (struct slice){NULL, 0};
    reply->rport = via->rport_present ? packet->source.port : 0;
    /* Section 18.2.1, and RFC 3581 section 4: with rport also when the addresses are equal. A
     * `received` that came in was written by the sender and must not stand. */
    if (via->rport_present || via->received.data != NULL || !literal ||
        !tp_address_same_host(&sent_by, &packet->source)) {
        struct buffer buffer = buffer_over(reply->memory, sizeof(reply->memory));
        tp_address_append_host(&buffer, &packet->source, false);
        reply->received = buffer_slice(&buffer);
    }

    if (reply_to_maddr(via, packet, &reply->to))
        return;
    /* When the connection is gone, another is opened to the port that the sender listens on; rport
     * is about datagrams. */
    reply->to = packet->source;
    if (!via->rport_present || tp_protocol_rows[packet->protocol].stream)
        reply->to.port = via->port != 0 ? via->port : tp_protocol_rows[packet->protocol].port;
}

void txn_respond(const struct txn_output *output, uint16_t listener, uint64_t connection,
                 const struct tp_address *to, struct slice bytes)
{
    if (output->respond != NULL)
        output->respond(output->argument, listener, connection, to, bytes);
    else
        output->send(output->argument, listener, to, bytes, 0);
}
