/* Completion ports of sockets: association, modes, and the way of a packet to its port. */
#include "ports/port_list.h"
#include "base/status.h"
#include "ntdll/hooks.h"
#include "ntdll/thread_ended.h"
#include "base/upcalls.h"

NTSTATUS NTAPI NtQueryIoCompletion( HANDLE port, ULONG class, void *info, ULONG size, ULONG *result );

LONG NTAPI RtlWaitOnAddress( const void *address, const void *compare, SIZE_T size, const LARGE_INTEGER *timeout );
void NTAPI RtlWakeAddressAll( const void *address );

#define EVENT_YIELDS 16   /* before a thread sleeps until an event has been set */
#define DELIVERY_SPINS 64 /* and until the delivery lock is free */
#define DELIVERY_WAITED_FOR 1u

static volatile LONG delivery_lock; /* its holder's number, a multiple of 4, and whether others wait */
HANDLE volatile port_delivering_event;
void *volatile port_delivering_value;

static BOOL delivery_change( LONG before, LONG after )
{
    return InterlockedCompareExchange( &delivery_lock, after, before ) == before;
}

static BOOL wait_for_delivery( LONG self )
{
    const LARGE_INTEGER patience = { .QuadPart = -200000 };
    LONG before;

    for ( unsigned int spins = 0;; spins++ )
    {
        if ( delivery_change( 0, self ) ) return FALSE;
        if ( !( before = delivery_lock ) ) continue;
        /* the loader has ended all others */
        if ( RtlDllShutdownInProgress() && delivery_change( before, self ) ) return TRUE;
        if ( spins < DELIVERY_SPINS )
        {
            YieldProcessor();
            continue;
        }
        self |= DELIVERY_WAITED_FOR; /* by others perhaps: who waits has not counted them */
        if ( !( before & DELIVERY_WAITED_FOR ) && !delivery_change( before, before | DELIVERY_WAITED_FOR ) ) continue;
        before |= DELIVERY_WAITED_FOR;
        if ( RtlWaitOnAddress( (const void *)&delivery_lock, &before, sizeof( before ), &patience ) != STATUS_TIMEOUT ||
             !thread_has_ended( before & ~DELIVERY_WAITED_FOR ) )
            continue;
        if ( delivery_change( before, self ) ) return TRUE;
    }
}

BOOL port_delivery_begin( void )
{
    const LONG self = (LONG)GetCurrentThreadId();

    return !delivery_change( 0, self ) && wait_for_delivery( self );
}

/* Not what has been taken over from a thread that runs for a moment still. */
void port_delivery_end( void )
{
    const LONG self = (LONG)GetCurrentThreadId();

    if ( !delivery_change( self, 0 ) && delivery_change( self | DELIVERY_WAITED_FOR, 0 ) )
        RtlWakeAddressAll( (const void *)&delivery_lock );
}

void port_delivery_settle( void )
{
    BOOL rest;

    if ( !delivery_lock ) return;
    rest = port_delivery_begin();
    port_delivery_end();
    if ( rest ) ws2_upcalls.operations_ended();
}

void port_deliver_event( HANDLE event, void *value )
{
    port_delivering_value = value;
    InterlockedExchangePointer( (void *volatile *)&port_delivering_event, event );
}

/* wineserver is to have the processor: it is what the other thread waits for */
void port_wait_for_event( HANDLE event )
{
    for ( unsigned int turns = 0; port_delivering_event == event && !RtlDllShutdownInProgress(); turns++ )
    {
        if ( turns < EVENT_YIELDS )
        {
            SwitchToThread();
            continue;
        }
        port_delivery_settle();
    }
}

NTSTATUS port_keep( HANDLE theirs, HANDLE *ours )
{
    struct port_queue *queue = NULL;
    struct port *port;
    NTSTATUS status;
    ULONG depth;

    if ( ( status = NtQueryIoCompletion( theirs, 0, &depth, sizeof( depth ), NULL ) ) ) return status;
    lock_exclusive( &port_list_lock );
    if ( ( port = port_list_find_or_add( theirs ) ) )
    {
        port->kept = TRUE;
        if ( ( queue = port->queue ) ) port_queue_hold( queue );
        *ours = port->ours;
    }
    ReleaseSRWLockExclusive( &port_list_lock );
    if ( queue ) port_queue_share( queue ); /* whether packets are taken is asked of wineserver */
    port_queue_release( queue );
    return port ? 0 : status_of_error( WSAENOBUFS );
}

NTSTATUS port_associate( HANDLE s, HANDLE theirs, ULONG_PTR key )
{
    struct ws2_port_params params = { .handle = ws2_pointer( s ), .port = { .key = key } };
    struct port_queue *queue = NULL;
    struct port *port;
    NTSTATUS status;
    ULONG depth;
    int error;

    if ( ( status = NtQueryIoCompletion( theirs, 0, &depth, sizeof( depth ), NULL ) ) ) return status;
    lock_exclusive( &port_list_lock );
    if ( ( port = port_list_find_or_add( theirs ) ) && ( queue = port->queue ) ) port_queue_hold( queue );
    ReleaseSRWLockExclusive( &port_list_lock );
    /* which may start threads: no lock is held */
    if ( queue ) params.queue = port_queue_begin( queue );

    lock_exclusive( &port_list_lock );
    if ( !( port = port_list_find_or_add( theirs ) ) ) error = WSAENOBUFS;
    else
    {
        params.port.handle = port->id;
        error = ws2_call( port_associate, &params );
    }
    ReleaseSRWLockExclusive( &port_list_lock );
    port_queue_release( queue );
    if ( error == WSA_INVALID_PARAMETER ) return STATUS_INVALID_PARAMETER;
    return status_of_error( error );
}

void port_post_late( const struct ws2_port *port, void *value, IO_STATUS_BLOCK *iosb, LONG status,
                     ULONG_PTR information )
{
    const BOOL own = port->owner == GetCurrentProcessId();
    struct port_queue *queue = own ? port_list_queue_of( port->handle ) : NULL;
    BOOL taken = queue && port_queue_post( queue, port->key, (ULONG_PTR)value, iosb, status, information );
    HANDLE handle;

    if ( !taken ) count_asked();
    if ( !taken && iosb ) port_queue_fill( iosb, status, information ); /* nobody would do it later */
    if ( !taken && own ) port_list_post( port->handle, port->key, (ULONG_PTR)value, status, information );
    else if ( !taken && ( handle = port_list_foreign( port->owner, port->handle ) ) )
        nt_NtSetIoCompletion( handle, port->key, (ULONG_PTR)value, status, information );
    port_queue_release( queue );
}

void port_post( const struct ws2_port *port, void *value, LONG status, ULONG_PTR information )
{
    port_post_late( port, value, NULL, status, information );
}

NTSTATUS port_set_modes( HANDLE s, ULONG modes )
{
    struct ws2_port_params params = { .handle = ws2_pointer( s ), .port = { .modes = modes } };
    int error = ws2_call( port_modes, &params );

    return error ? status_of_error( error ) : 0;
}
