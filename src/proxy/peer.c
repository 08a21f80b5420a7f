/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy_int.h"

bool proxy_identify(const struct proxy *proxy, uint16_t listener, const struct tp_address *address,
                    bool accepted, struct tp_peer *peer)
{
    /* The name is borrowed until the next call. */
    static _Thread_local char memory[TP_ADDRESS_TEXT];
    const struct proxy_plan *plan = proxy->snapshot.plan;
    const struct proxy_trunk *trunk = NULL;
    struct slice host = slice_make(NULL, 0);
    if (accepted)
        trunk = proxy_plan_source(plan, listener, address);
    else
        trunk = proxy_plan_target(plan, listener, address, memory, &host);
    /* What we answer or relay may lead beyond all trunks (open_targets). */
    if (trunk == NULL && accepted)
        return false;
    *peer = (struct tp_peer){.tls = proxy_plan_tls(plan, listener), .host = host};
    if (trunk == NULL)
        return true;
    peer->label = trunk->label_connections;
    peer->limit = trunk->connections;
    if (trunk->tls != NULL && peer->tls != NULL)
        peer->tls = trunk->tls;
    return true;
}
