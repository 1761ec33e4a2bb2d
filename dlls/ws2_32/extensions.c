/* Functions by GUID. Constant. */
#include "ws2_32_private.h"
#include <mswsock.h>
#include "extensions.h"
#include "message.h"

static const struct
{
    GUID guid;
    void *function;
} extensions[] = {
    { WSAID_WSASENDMSG, WSASendMsg },
    { WSAID_WSARECVMSG, message_receive },
};

void *extensions_find( const GUID *guid )
{
    for (unsigned int i = 0; i < ARRAYSIZE( extensions ); i++)
        if (!memcmp( &extensions[i].guid, guid, sizeof(*guid) )) return extensions[i].function;
    return NULL;
}
