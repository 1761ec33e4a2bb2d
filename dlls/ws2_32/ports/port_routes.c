/*
 * Which way packets go: into the process's queue, or through wineserver.
 *
 * The queue is used from the first socket on, and until others may wait at the port who do not look here: a process that
 * has got a handle of it, or a child that inherits one. Then, and for good, all goes through wineserver.
 */
#include "ports/port_queue_private.h"

/* --- posting ------------------------------------------------------------------------------------------------------------*/

BOOL port_queue_post( struct port_queue *queue, ULONG_PTR key, ULONG_PTR value, IO_STATUS_BLOCK *late, NTSTATUS status,
                      ULONG_PTR information )
{
    const struct port_packet packet = { key, value, { { status }, information } };
    BOOL taken = FALSE, wake = FALSE, look = FALSE;

    port_queue_lock( queue );
    switch ( queue->state )
    {
    case PORT_UNUSED:
    case PORT_ADOPTED:
    case PORT_SHARED: break;
    case PORT_CLOSED: taken = TRUE; break; /* nobody can want it */
    case PORT_MIXED:
        if ( queue->waiting <= 0 ) break;
        /* fall through */
    case PORT_KEPT:
        if ( !( taken = port_queue_append( queue, &packet ) ) ) break;
        if ( late && !port_queue_add_late( queue, value, late, status, information ) )
            port_queue_fill( late, status, information );
        wake = port_queue_to_wake( queue );
        /* no thread is there or on the way: it may be another process's to take, which the forwarder sees when it is left
         * lying */
        if ( queue->waiting <= 0 && !queue->woken && !queue->suspect ) look = queue->suspect = TRUE;
        break;
    }
    port_queue_unlock( queue );
    if ( wake ) port_queue_wake( queue );
    if ( look ) port_forwarder_look( queue );
    return taken;
}

NTSTATUS NTAPI hook_NtSetIoCompletion( HANDLE port, ULONG_PTR key, ULONG_PTR value, NTSTATUS status,
                                       SIZE_T information )
{
    struct port_queue *queue = port_queue_of( port );
    BOOL taken = queue && port_queue_post( queue, key, value, NULL, status, information );

    port_queue_release( queue );
    return taken ? 0 : nt_NtSetIoCompletion( port, key, value, status, information );
}

/* How many packets there are; a forwarder may just have one in its hands. */
NTSTATUS NTAPI hook_NtQueryIoCompletion( HANDLE port, ULONG class, void *information, ULONG size, ULONG *needed )
{
    NTSTATUS status = nt_NtQueryIoCompletion( port, class, information, size, needed );
    struct port_queue *queue = status || class ? NULL : port_queue_find( port );
    LONG depth;

    if ( !queue ) return status;
    if ( !ws2_read( &depth, information, sizeof( depth ) ) )
    {
        depth += queue->count;
        ws2_write( information, &depth, sizeof( depth ) );
    }
    port_queue_release( queue );
    return status;
}

/* --- what becomes of the port -------------------------------------------------------------------------------------------*/

UINT64 port_queue_begin( struct port_queue *queue )
{
    struct ws2_port_open_params params = { 0 };
    BOOL join = FALSE, redirect;
    UINT64 host = 0;

    port_queue_lock( queue );
    if ( ( queue->state == PORT_UNUSED || queue->state == PORT_ADOPTED ) &&
         !ws2host_call( ws2_call_port_open, &params ) && !params.error )
    {
        queue->host = params.port;
        queue->asked = GetTickCount();
        /* what was posted before comes first; and where packets lay no thread slept */
        join = port_queue_fetch( queue, queue->handle, MAXLONG, &redirect ) || queue->state == PORT_UNUSED;
        queue->state = join ? PORT_KEPT : PORT_MIXED;
        for ( UINT32 i = 0; i < queue->in_server; i++ ) port_queue_redirect( queue, queue->handle );
    }
    if ( port_queue_keeps( queue ) ) host = queue->host;
    port_queue_unlock( queue );
    if ( join ) port_forwarder_join( queue );
    if ( params.need_io_thread ) ws2_start_io_thread();
    return host;
}

void port_queue_foreign( HANDLE port )
{
    struct port_queue *queue = port_queue_find( port );

    if ( queue ) queue->foreign = TRUE;
    port_queue_release( queue );
}

void port_queue_share( struct port_queue *queue )
{
    port_forwarder_part( queue );
    port_queue_give_up( queue );
}

void port_queue_duplicating( HANDLE handle, BOOL moved )
{
    struct port_queue *queue;

    if ( !port_queue_may_be( handle ) ) return;
    if ( !( queue = moved ? port_queue_forget( handle ) : port_queue_find( handle ) ) ) return;
    port_queue_share( queue );
    port_queue_release( queue );
}

void port_queue_inheriting( HANDLE handle )
{
    struct port_queue *queue = port_queue_find( handle );

    if ( !queue ) return;
    port_queue_share( queue );
    port_queue_release( queue );
}

void port_queue_closing( HANDLE handle )
{
    struct port_queue *queue = port_queue_forget( handle );
    BOOL wake = FALSE;

    if ( !queue ) return;
    port_queue_lock( queue );
    if ( queue->state != PORT_SHARED )
    {
        queue->state = PORT_CLOSED;
        wake = port_queue_to_wake( queue );
        /* the loader may let those sleep on: each is woken by a packet, which it does not pass on */
        for ( UINT32 i = 0; i < queue->in_server; i++ ) nt_NtSetIoCompletion( handle, 0, 0, 0, 0 );
    }
    port_queue_unlock( queue );
    if ( wake ) port_queue_wake( queue );
    if ( queue->forwarded ) port_forwarder_leave( queue );
    port_queue_release( queue );
}
