/*
 * ProcessSocketNotifications: readiness of sockets through a completion port.
 *
 * The host half keeps the registrations and decides what is due (dlls/ws2host/events/notify.c); here the packets are queued to
 * the ports, under a lock, so that a registration's last packet is the one that tells of its end. A level that is told of
 * again and again is told of when its last packet has been taken: the function itself knows that for the packets that
 * it hands out; for ports that the program reads by other functions the I/O thread looks whether they are empty.
 */
#include "base/ws2_32_private.h"
#include "sockets/notifications.h"
#include "ports/ports.h"
#include "ws2host/socket_notifications.h"

NTSTATUS NTAPI NtSetIoCompletion( HANDLE port, ULONG_PTR key, ULONG_PTR value, NTSTATUS status, SIZE_T information );
NTSTATUS NTAPI NtQueryIoCompletion( HANDLE port, int class, void *info, ULONG size, ULONG *result );

static SRWLOCK notifications_lock = SRWLOCK_INIT;

/* Ports that have registrations, by our handles. */
static struct known_port
{
    struct known_port *next;
    HANDLE port;
} * known_ports;
static SRWLOCK known_lock = SRWLOCK_INIT;

void notifications_deliver( void )
{
    static struct ws2_notify_fetch_params params; /* under the lock */

    lock_exclusive( &notifications_lock );
    do {
        if ( ws2_call( notify_fetch, &params ) ) break;
        for ( UINT32 i = 0; i < params.count; i++ )
            NtSetIoCompletion( (HANDLE)(UINT_PTR)params.packets[i].port, params.packets[i].key,
                               params.packets[i].handle, 0, params.packets[i].events );
    } while ( params.count );
    ReleaseSRWLockExclusive( &notifications_lock );
}

static void tell_taken( HANDLE port, enum ws2_notify_taken how, const UINT64 *handles, UINT32 count )
{
    struct ws2_notify_taken_params params = {
        .port = (UINT32)(UINT_PTR)port, .how = how, .count = count, .handles = ws2_pointer( handles )
    };

    ws2_call( notify_taken, &params );
}

void notifications_look( void )
{
    ULONG depth;

    /* not while one thread has fetched what it has not queued yet */
    lock_exclusive( &notifications_lock );
    lock_shared( &known_lock );
    for ( struct known_port *known = known_ports; known; known = known->next )
        if ( !NtQueryIoCompletion( known->port, 0, &depth, sizeof( depth ), NULL ) && !depth )
            tell_taken( known->port, WS2_NOTIFY_EMPTY, NULL, 0 );
    ReleaseSRWLockShared( &known_lock );
    ReleaseSRWLockExclusive( &notifications_lock );
    notifications_deliver();
}

static BOOL know_port( HANDLE port )
{
    struct known_port *known;

    lock_exclusive( &known_lock );
    for ( known = known_ports; known && known->port != port; ) known = known->next;
    if ( !known && ( known = calloc( 1, sizeof( *known ) ) ) )
    {
        known->port = port;
        known->next = known_ports;
        known_ports = known;
    }
    ReleaseSRWLockExclusive( &known_lock );
    return known != NULL;
}

/* Packets of ours carry the socket where others carry an OVERLAPPED; a stranger's is no socket, or has no packet out. */
static void note_taken( HANDLE port, const OVERLAPPED_ENTRY *completions, ULONG count )
{
    UINT64 handles[64];
    UINT32 noted = 0;

    for ( ULONG i = 0; i < count; i++ )
    {
        handles[noted++] = ws2_pointer( completions[i].lpOverlapped );
        if ( noted < ARRAYSIZE( handles ) && i + 1 < count ) continue;
        tell_taken( port, WS2_NOTIFY_NOTED, handles, noted );
        noted = 0;
    }
}

static BOOL one_of( UINT32 flags, UINT32 mask ) { return ( flags & mask ) && ( flags & mask ) != mask; }

static int register_one( const SOCK_NOTIFY_REGISTRATION *registration, HANDLE port )
{
    struct ws2_notify_register_params params = { .handle = registration->socket,
                                                 .port = (UINT32)(UINT_PTR)port,
                                                 .key = ws2_pointer( registration->completionKey ),
                                                 .filter = registration->eventFilter,
                                                 .operation = registration->operation,
                                                 .trigger = registration->triggerFlags };
    int error;

    switch ( registration->operation )
    {
    case SOCK_NOTIFY_OP_ENABLE:
        if ( !registration->eventFilter || ( registration->eventFilter & ~SOCK_NOTIFY_REGISTER_EVENTS_ALL ) ||
             ( registration->triggerFlags & ~SOCK_NOTIFY_TRIGGER_ALL ) ||
             !one_of( registration->triggerFlags, SOCK_NOTIFY_TRIGGER_ONESHOT | SOCK_NOTIFY_TRIGGER_PERSISTENT ) ||
             !one_of( registration->triggerFlags, SOCK_NOTIFY_TRIGGER_LEVEL | SOCK_NOTIFY_TRIGGER_EDGE ) )
            return ERROR_INVALID_PARAMETER;
        break;
    case SOCK_NOTIFY_OP_DISABLE:
    case SOCK_NOTIFY_OP_REMOVE: break;
    default: return ERROR_INVALID_PARAMETER;
    }
    error = ws2_call( notify_register, &params );
    /* a request that was refused may have been the first */
    if ( params.need_io_thread && !ws2_start_io_thread() ) return WSAENOBUFS;
    return error;
}

static int register_all( SOCK_NOTIFY_REGISTRATION *registrations, UINT32 count, HANDLE port )
{
    for ( UINT32 i = 0; i < count; i++ )
    {
        SOCK_NOTIFY_REGISTRATION registration;
        DWORD result;

        if ( ws2_read( &registration, &registrations[i], sizeof( registration ) ) ) return WSAEFAULT;
        result = register_one( &registration, port );
        if ( ws2_write( &registrations[i].registrationResult, &result, sizeof( result ) ) ) return WSAEFAULT;
    }
    return 0;
}

static DWORD notifications_process( HANDLE theirs, UINT32 registration_count, SOCK_NOTIFY_REGISTRATION *registrations,
                                    UINT32 timeout, ULONG completion_count, OVERLAPPED_ENTRY *completions,
                                    UINT32 *received )
{
    HANDLE port;
    ULONG count = 0;
    int error;

    if ( ( registration_count && !registrations ) || ( completion_count && ( !completions || !received ) ) )
        return ERROR_INVALID_PARAMETER;
    if ( received && ws2_write( received, &count, sizeof( *received ) ) ) return WSAEFAULT;
    if ( port_keep( theirs, &port ) ) return ERROR_INVALID_HANDLE;
    if ( !know_port( port ) ) return WSAENOBUFS;
    if ( ( error = register_all( registrations, registration_count, port ) ) ) return error;
    if ( completion_count ) tell_taken( port, WS2_NOTIFY_AGAIN, NULL, 0 );
    notifications_deliver();
    if ( !completion_count ) return 0;
    if ( !GetQueuedCompletionStatusEx( theirs, completions, completion_count, &count, timeout, FALSE ) )
        return GetLastError();
    note_taken( port, completions, count );
    return ws2_write( received, &count, sizeof( *received ) );
}

/***********************************************************************
 *      ProcessSocketNotifications   (WS2_32.@)
 */
DWORD WINAPI ProcessSocketNotifications( HANDLE port, UINT32 registration_count,
                                         SOCK_NOTIFY_REGISTRATION *registrations, UINT32 timeout,
                                         ULONG completion_count, OVERLAPPED_ENTRY *completions, UINT32 *received )
{
    DWORD error;

    WS2_REQUIRE_STARTUP( WSANOTINITIALISED );
    error = notifications_process( port, registration_count, registrations, timeout, completion_count, completions,
                                   received );
    return WS2_RESULT( error, (int)error, "port=%p, registrations=%p+%u, timeout=%u, completions=%p+%lu, received=%p",
                       port, (void *)registrations, registration_count, timeout, (void *)completions, completion_count,
                       (void *)received );
}
