/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

int main(int count, char **arguments)
{
    return cli_main(count, arguments, stdout, stderr);
}
