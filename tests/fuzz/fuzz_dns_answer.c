/* SPDX-License-Identifier: Apache-2.0 */
/* What a DNS server sends: the first byte chooses the type that was asked for. */
#include <stdlib.h>
#include <string.h>

#include "../src/transport/resolver_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = {DNS_A, DNS_AAAA, DNS_SRV, DNS_NAPTR};
    static struct dns_answer answer;
    if (size == 0)
        return 0;
    if (tp_dns_answer_parse(data + 1, size - 1, "example.net", types[data[0] % 4], &answer) != 0)
        return 0;
    if (answer.count > DNS_RECORD_LIMIT || (answer.absent && answer.count > 0))
        abort();
    for (size_t i = 0; i < answer.count; i++)
        if (strlen(answer.records[i].name) >= sizeof(answer.records[i].name))
            abort();
    return 0;
}
