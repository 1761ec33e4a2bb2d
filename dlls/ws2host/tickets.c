/*
 * Tickets as the process sees them: issued for WSADuplicateSocket, redeemed for WSASocket.
 */
#include <unistd.h>
#include "connection.h"
#include "ws2host/winsock_codes.h"

int32_t ticket_issue( uint32_t slot, uint32_t generation, uint32_t handle, int fd, uint32_t target, uint32_t *ticket,
                      int *unknown_target )
{
    struct ws2_request request = { .type = WS2_DUPLICATE, .slot = slot, .generation = generation, .handle = handle,
                                   .windows_pid = target };
    struct ws2_reply reply;
    const int32_t error = connection_request( &request, fd, &reply, NULL );

    *ticket = reply.ticket;
    *unknown_target = reply.detail == WS2_DETAIL_UNKNOWN_TARGET;
    return error;
}

int32_t ticket_redeem( uint32_t ticket, uint32_t *slot, uint32_t *generation, int *fd )
{
    struct ws2_request request = { .type = WS2_REDEEM, .ticket = ticket };
    struct ws2_reply reply;
    int32_t error;

    if (!ticket) return WSAEINVAL;
    if ((error = connection_request( &request, -1, &reply, fd ))) return error;
    *slot = reply.slot;
    *generation = reply.generation;
    if (*fd >= 0 && *slot < WS2_SLOT_COUNT) return 0;
    /* the server counted a descriptor that did not arrive: this process has no room for one */
    if (*fd >= 0) close( *fd );
    *fd = -1;
    connection_close( *slot, *generation, 0 );
    return WSAEMFILE;
}

void tickets_publish( void ) {}

void tickets_follow( const struct ws2_request *request, const struct ws2_reply *reply, int fd )
{
    (void)request;
    (void)reply;
    (void)fd;
}
