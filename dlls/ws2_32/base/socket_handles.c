/*
 * A descriptor for a handle of other origin: inherited, DuplicateHandle'd. The host half knows descriptors by the values of
 * their handles.
 *
 * ws2_call adopts, so what is called here goes to the host half directly; none of these calls waits.
 */
#include "base/ws2_32_private.h"

static int call_host( unsigned int code, void *params )
{
    return ws2host_call( code, params ) ? WSAEFAULT : *(int32_t *)params;
}

BOOL ws2_adopt( UINT64 handle )
{
    struct ws2_socket_adopt_params adopt = { .handle = handle };

    if ( !handle || handle > 0x7fffffff ) return FALSE;
    count_asked();
    if ( ws2host_handle_to_fd( (void *)(UINT_PTR)handle, &adopt.fd ) ) return FALSE;
    if ( call_host( ws2_call_socket_adopt, &adopt ) ) return FALSE;
    /* Another thread may have closed the handle between the two, so that nobody would end what was adopted, or the value is
     * another object's by now. A thread that closes it from here on finds the descriptor. */
    if ( ws2host_handle_to_fd( (void *)(UINT_PTR)handle, &adopt.fd ) ) adopt.fd = -1;
    return !call_host( ws2_call_socket_adopted, &adopt );
}
