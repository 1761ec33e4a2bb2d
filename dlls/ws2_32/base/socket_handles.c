/*
 * A SOCKET is a real handle of the loader, made of a host socket; the host half knows its descriptor by that value. Here
 * the two come together: a handle is made for a new descriptor, and a descriptor for a handle of other origin (inherited,
 * DuplicateHandle'd).
 *
 * ws2_call adopts, so what is called here goes to the host half directly; none of these calls waits.
 */
#include "base/ws2_32_private.h"

#ifndef OBJ_INHERIT /* some headers have it */
#define OBJ_INHERIT 0x2
#endif

NTSTATUS NTAPI NtClose( HANDLE handle );

static int call_host( unsigned int code, void *params )
{
    return ws2host_call( code, params ) ? WSAEFAULT : *(int32_t *)params;
}

SOCKET ws2_install( int fd, UINT64 descriptor, DWORD flags, int *error )
{
    struct ws2_socket_install_params install = { .descriptor = descriptor };
    void *handle = NULL;

    if ( ws2host_fd_to_handle( fd, flags & WSA_FLAG_NO_HANDLE_INHERIT ? 0 : OBJ_INHERIT, &handle ) )
    {
        call_host( ws2_call_socket_discard, &install );
        *error = WSAEMFILE;
        return INVALID_SOCKET;
    }
    install.handle = ws2_pointer( handle );
    if ( ( *error = call_host( ws2_call_socket_install, &install ) ) )
    {
        call_host( ws2_call_socket_discard, &install );
        NtClose( handle );
        return INVALID_SOCKET;
    }
    return (SOCKET)handle;
}

BOOL ws2_adopt( UINT64 handle )
{
    struct ws2_socket_adopt_params adopt = { .handle = handle };

    if ( !handle || handle > 0x7fffffff ) return FALSE;
    if ( ws2host_handle_to_fd( (void *)(UINT_PTR)handle, &adopt.fd ) ) return FALSE;
    if ( call_host( ws2_call_socket_adopt, &adopt ) ) return FALSE;
    /* Another thread may have closed the handle between the two, so that nobody would end what was adopted, or the value is
     * another object's by now. A thread that closes it from here on finds the descriptor. */
    if ( ws2host_handle_to_fd( (void *)(UINT_PTR)handle, &adopt.fd ) ) adopt.fd = -1;
    return !call_host( ws2_call_socket_adopted, &adopt );
}
