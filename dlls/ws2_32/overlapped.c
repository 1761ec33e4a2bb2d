/* Overlapped operations. */
#include "ws2_32_private.h"
#include "overlapped.h"

static int refuse( const char *name )
{
    static LONG said;

    if (!InterlockedExchange( &said, 1 )) ws2_log( "%s with an OVERLAPPED is not implemented", name );
    return WSAEOPNOTSUPP;
}

int overlapped_send( SOCKET s, WSABUF *buffers, DWORD count, DWORD *sent, DWORD flags, const struct sockaddr *to,
                     int to_size, OVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    (void)s, (void)buffers, (void)count, (void)sent, (void)flags, (void)to, (void)to_size, (void)overlapped, (void)routine;
    return refuse( "WSASend" );
}

int overlapped_receive( SOCKET s, WSABUF *buffers, DWORD count, DWORD *received, DWORD *flags, struct sockaddr *from,
                        int *from_size, OVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    (void)s, (void)buffers, (void)count, (void)received, (void)flags, (void)from, (void)from_size, (void)overlapped;
    (void)routine;
    return refuse( "WSARecv" );
}
