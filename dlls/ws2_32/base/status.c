/* NT statuses and Winsock errors. Winsock's table is on the exact value: other forms of a status are WSAEINVAL. */
#include "base/ws2_32_private.h"
#include "base/status.h"

/* For an error with several statuses, the first one is what an operation ends with. */
static const struct
{
    int error;
    DWORD status;
} statuses[] = {
    { 0, 0x00000000 },
    { WSA_IO_INCOMPLETE, 0x00000103 },
    { WSA_IO_INCOMPLETE, 0x800703e4 },
    { WSA_IO_INCOMPLETE, 0xc00703e4 },
    { WSA_IO_INCOMPLETE, 0xc00103e4 },
    { WSAEMSGSIZE, 0x80000005 },
    { WSAEMSGSIZE, 0xc0000206 },
    { WSAEOPNOTSUPP, 0xc00000bb },
    { WSAEOPNOTSUPP, 0xc0000002 },
    { WSAEFAULT, 0xc0000005 },
    { WSAEFAULT, 0xc0000023 },
    { WSAEFAULT, 0xc00002c5 },
    { WSAENOBUFS, 0xc000009a },
    { WSAENOBUFS, 0xc0000007 },
    { WSAENOBUFS, 0xc0000017 },
    { WSAENOBUFS, 0xc0000018 },
    { WSAENOBUFS, 0xc0000044 },
    { WSAENOBUFS, 0xc0000097 },
    { WSAENOBUFS, 0xc00000a1 },
    { WSAENOBUFS, 0xc000012d },
    { WSAENOBUFS, 0xc000013d },
    { WSAENOBUFS, 0xc0000209 },
    { WSAENOTSOCK, 0xc0000008 },
    { WSAENOTSOCK, 0xc0000024 },
    { WSAENETDOWN, 0xc00000c4 },
    { WSAENETDOWN, 0xc000000e },
    { WSAENETDOWN, 0xc000000f },
    { WSAENETDOWN, 0xc0000034 },
    { WSAENETDOWN, 0xc000003a },
    { WSAENETDOWN, 0xc00000bf },
    { WSAENETDOWN, 0xc00000c3 },
    { WSAEACCES, 0xc0000022 },
    { WSAEADDRINUSE, 0xc0000043 },
    { WSAEADDRINUSE, 0xc000020a },
    { WSAEWOULDBLOCK, 0xc00000a3 },
    { WSAEWOULDBLOCK, 0xc00000d0 },
    { WSAESHUTDOWN, 0xc00000b0 },
    { WSAETIMEDOUT, 0xc00000b5 },
    { WSAETIMEDOUT, 0xc000013f },
    { WSAECONNREFUSED, 0xc0000236 },
    { WSAECONNREFUSED, 0xc00000bc },
    { WSAENETUNREACH, 0xc000023c },
    { WSAENETUNREACH, 0xc00000be },
    { WSAENETUNREACH, 0xc000023e },
    { WSA_OPERATION_ABORTED, 0xc0000120 },
    { WSAECONNABORTED, 0xc0000241 },
    { WSAECONNABORTED, 0xc000013b },
    { WSAECONNABORTED, 0xc000020f },
    { WSAECONNRESET, 0xc000020d },
    { WSAECONNRESET, 0xc000013c },
    { WSAECONNRESET, 0xc000013e },
    { WSAECONNRESET, 0xc000020c },
    { WSAECONNRESET, 0xc000023f },
    { WSAENETRESET, 0xc000a012 },
    { WSAENOTCONN, 0xc0000140 },
    { WSAEADDRNOTAVAIL, 0xc0000207 },
    { WSAEADDRNOTAVAIL, 0xc0000141 },
    { WSAEDISCON, 0xc0000237 },
    { WSAEISCONN, 0xc000023b },
    { WSAEHOSTUNREACH, 0xc000023d },
    { WSAEINTR, 0xc0000240 },
    { WSAEHOSTDOWN, 0xc0000350 },
};

NTSTATUS status_of_error( int error )
{
    if ( error == WSA_IO_PENDING ) return STATUS_PENDING;
    if ( error == WAIT_TIMEOUT ) return (NTSTATUS)0x102; /* STATUS_TIMEOUT: an AFD poll without events */
    if ( error == ERROR_INSUFFICIENT_BUFFER ) return (NTSTATUS)0xc0000023; /* STATUS_BUFFER_TOO_SMALL */
    if ( error == ERROR_INVALID_USER_BUFFER ) return (NTSTATUS)0xc0000206; /* STATUS_INVALID_BUFFER_SIZE */
    if ( error == ERROR_PORT_UNREACHABLE ) return (NTSTATUS)0xc000023f;    /* STATUS_PORT_UNREACHABLE */
    for ( unsigned int i = 0; i < ARRAYSIZE( statuses ); i++ )
        if ( statuses[i].error == error ) return statuses[i].status;
    return STATUS_INVALID_PARAMETER;
}

int status_to_error( NTSTATUS status )
{
    for ( unsigned int i = 0; i < ARRAYSIZE( statuses ); i++ )
        if ( statuses[i].status == (DWORD)status ) return statuses[i].error;
    return status >= 0 ? 0 : WSAEINVAL;
}
