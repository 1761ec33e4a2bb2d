/* The name services of the host: the C library's resolver and data bases. No state of their own. */
#include <unistd.h>
#include "unix_private.h"

NTSTATUS unix_hostname( void *args )
{
    struct ws2_hostname_params *params = args;

    params->error = gethostname( (char *)(uintptr_t)params->name, params->size ) ? WSAEFAULT : 0;
    return 0;
}
