/*
 * The ends of overlapped operations: status block, event, APC, completion packet.
 *
 * One thread at a time tells the program of what the host half's queues have ended, under the delivery lock, so that packets
 * come in the order in which the operations ended: the I/O thread, a thread that waits at a completion port, or one that
 * closes or cancels, before its call returns.
 *
 * The program may end that thread at any instruction. Who takes the lock next goes on with its batch; the end that it had in
 * its hands is told of once, or not at all.
 */
#include "overlapped/completion.h"
#include "ws2host/table.h"
#include "base/status.h"
#include "base/write_watch.h"
#include "ntdll/event_objects.h"
#include "overlapped/file_wait.h"
#include "ports/ports.h"
#include "registered/registered_io.h"
#include "base/thread_data.h"

NTSTATUS NTAPI NtQueueApcThread( HANDLE thread, void *apc, ULONG_PTR arg1, ULONG_PTR arg2, ULONG_PTR arg3 );
void NTAPI RtlWakeAddressAll( const void *address );

#define NT_ERROR_( status ) ( (ULONG)( status ) >> 30 == 3 )

static HANDLE plain_event( HANDLE event ) { return (HANDLE)( (ULONG_PTR)event & ~(ULONG_PTR)3 ); }

LONG completion_waiters;

/* Behind the results that are there already. Each is written if it can be; the status, which says that the rest is there, only
 * with Information. */
static void write_status_block( struct ws2_operation_results_params *results, const struct ws2_operation_target *target,
                                NTSTATUS status, ULONG_PTR information, DWORD flags )
{
    IO_STATUS_BLOCK *iosb = (IO_STATUS_BLOCK *)(UINT_PTR)target->iosb;
    UINT32 behind_information;

    if ( target->options & TARGET_STORE_FLAGS )
        ws2_results_add( results, ws2_pointer( &( (OVERLAPPED *)iosb )->Offset ), ws2_pointer( &flags ),
                         sizeof( flags ) );
    ws2_results_add( results, ws2_pointer( &iosb->Information ), ws2_pointer( &information ), sizeof( information ) );
    behind_information = results->count;
    ws2_results_add( results, ws2_pointer( (void *)&iosb->Status ), ws2_pointer( &status ), sizeof( status ) );
    while ( !ws2_results_write( results ) )
        if ( results->done == behind_information ) break;
}

/* thread: for the APC. at_once: the call that started it returns the result too. results: what else is to be written first;
 * NULL: all is. */
static void complete( const struct ws2_operation_target *target, const struct ws2_port *port, HANDLE thread,
                      NTSTATUS status, ULONG_PTR information, UINT32 flags, BOOL at_once,
                      struct ws2_operation_results_params *results )
{
    IO_STATUS_BLOCK *iosb = (IO_STATUS_BLOCK *)(UINT_PTR)target->iosb;
    HANDLE event = plain_event( (HANDLE)(UINT_PTR)target->event );

    if ( target->options & WS2_TARGET_LATE )
    {
        port_post_late( port, (void *)(UINT_PTR)target->apc_context, iosb, status, information );
        return;
    }
    if ( results ) write_status_block( results, target, status, information, flags );
    /* the event last: who wakes from it finds the packet in the port, the APC with the thread */
    if ( target->apc )
    {
        count_asked();
        NtQueueApcThread( thread, (void *)(UINT_PTR)target->apc, target->apc_context, target->iosb, flags );
    }
    else if ( target->apc_context && port->handle &&
              !( at_once && ( port->modes & FILE_SKIP_COMPLETION_PORT_ON_SUCCESS ) && !NT_ERROR_( status ) ) )
        port_post( port, (void *)(UINT_PTR)target->apc_context, status, information );
    if ( event ) event_set( event );
    else if ( !at_once )
    {
        MemoryBarrier(); /* the status is there: who waits from now on sees it */
        if ( *(volatile LONG *)&completion_waiters ) RtlWakeAddressAll( (void *)&iosb->Status );
    }
}

/* By the call that started it. written: the status block is filled. */
static void complete_at_once( const struct ws2_operation_target *target, const struct ws2_port *port, NTSTATUS status,
                              ULONG_PTR information, UINT32 flags, BOOL written )
{
    const HANDLE event = plain_event( (HANDLE)(UINT_PTR)target->event );
    const BOOL both = event && target->apc_context && port->handle;
    struct ws2_operation_results_params results;
    BOOL rest = FALSE;

    ws2_results_begin( &results );
    if ( both )
    {
        rest = port_delivery_begin();
        port_deliver_event( event, (void *)(UINT_PTR)target->apc_context );
    }
    complete( target, port, GetCurrentThread(), status, information, flags, TRUE, written ? NULL : &results );
    if ( both )
    {
        port_deliver_event( NULL, NULL );
        port_delivery_end();
        if ( rest ) completion_deliver();
    }
}

/* What has been fetched, and how far it has been told of: the number of the end that is next, and what has been begun of that.
 * Under the lock. */
static struct ws2_operation_fetch_params batch = { .pointer_size = sizeof( void * ),
                                                   .flags_option = TARGET_STORE_FLAGS,
                                                   .excluded_option = TARGET_REGISTERED };
static volatile UINT32 batch_place;

enum batch_step
{
    STEP_DELIVERED = 1,
    STEP_TELLS = 2,
    STEP_GIVES_BACK = 4,
    STEPS = 8
};

/* FALSE: a thread that was ended may have done it. */
static BOOL begins( enum batch_step step )
{
    if ( batch_place & step ) return FALSE;
    batch_place |= step;
    return TRUE;
}

/* The host half's memory may be out of this side's reach. */
static void delivered( const struct ws2_completion *completion )
{
    struct ws2_delivered_params params = { .undelivered = completion->undelivered };

    if ( !begins( STEP_DELIVERED ) ) return;
    if ( completion->undelivered == (UINT_PTR)completion->undelivered )
        InterlockedDecrement( (LONG *)(UINT_PTR)completion->undelivered );
    else ws2host_call( ws2_call_delivered, &params );
}

/* Nothing of it is touched any more. */
static void told( const struct ws2_completion *completion )
{
    struct ws2_delivered_params params = { .told = completion->told };

    if ( !begins( STEP_GIVES_BACK ) ) return;
    if ( completion->told == (UINT_PTR)completion->told )
        __atomic_store_n( (LONG *)(UINT_PTR)completion->told, 1, __ATOMIC_RELEASE );
    else ws2host_call( ws2_call_delivered, &params );
}

static void tell( const struct ws2_completion *completion, struct ws2_operation_results_params *results )
{
    const HANDLE event = plain_event( (HANDLE)(UINT_PTR)completion->target.event );

    if ( event ) port_deliver_event( event, (void *)(UINT_PTR)completion->target.apc_context );
    complete( &completion->target, &completion->port, (HANDLE)(UINT_PTR)completion->target.thread,
              completion->error ? status_of_error( completion->error ) : 0, completion->information, completion->flags,
              FALSE, completion->written ? NULL : results );
    if ( event ) port_deliver_event( NULL, NULL );
    if ( !completion->target.event ) file_signal( completion );
}

static void complete_operation( const struct ws2_completion *completion )
{
    struct ws2_operation_results_params results;
    struct write_watch watch = { 0 };
    BOOL ordered;

    ws2_results_begin( &results );
    if ( !completion->written && !( batch_place & STEP_TELLS ) )
        for ( UINT32 i = 0; i < completion->write_count; i++ )
            ws2_results_add( &results, completion->writes[i].target, completion->writes[i].source,
                             completion->writes[i].size );
    if ( completion->bounced )
        for ( UINT32 i = 0; i < results.count; i++ )
            write_watch_note( &watch, (void *)(UINT_PTR)results.results[i].target, results.results[i].size );
    if ( results.count &&
         ( completion->bounced || ( completion->target.options & ( TARGET_REGISTERED | WS2_TARGET_LATE ) ) ) )
    {
        while ( !ws2_results_write( &results ) ) continue;
        ws2_results_begin( &results );
    }
    write_watch_end( &watch );
    if ( ws2_tracing )
        trace_operation_ends( completion->handle, completion->target.iosb, completion->error, completion->information );
    if ( completion->target.options & TARGET_REGISTERED )
    {
        if ( begins( STEP_TELLS ) ) registered_ended( completion );
        delivered( completion );
        return;
    }
    /* Operations begun from now on are tried at once again. APCs and packets must come in order, so for those it is
     * afterwards; a thread that waits for an event may have begun the next one before this thread comes to it. */
    ordered = completion->target.apc || ( completion->target.apc_context && completion->port.handle );
    if ( !ordered ) delivered( completion );
    if ( begins( STEP_TELLS ) ) tell( completion, &results );
    if ( ordered ) delivered( completion );
}

/* rest: of one that has been fetched. A bad pointer ends the call, and the results behind it are written by another. */
static void tell_batch( BOOL rest )
{
    batch.resume = rest;
    while ( ws2host_call( ws2_call_operation_fetch, &batch ) ) batch.resume = 1;
    for ( UINT32 i = batch_place / STEPS; i < batch.count; batch_place = ++i * STEPS )
    {
        complete_operation( &batch.completions[i] );
        told( &batch.completions[i] );
    }
}

/* give_back: the host half is to have nothing left of what has been told of. */
static void deliver( BOOL give_back )
{
    port_delivery_begin();
    if ( port_delivering_event ) port_deliver_event( NULL, NULL );
    if ( batch_place / STEPS < batch.count ) tell_batch( TRUE );
    do {
        batch.count = 0;
        __atomic_signal_fence( __ATOMIC_SEQ_CST );
        batch_place = 0;
        tell_batch( FALSE );
    } while ( give_back ? batch.count : batch.more );
    port_delivery_end();
}

void completion_deliver( void ) { deliver( TRUE ); }
void completion_deliver_at_port( void ) { deliver( FALSE ); }

/* For an operation that begins: what ended before it does not set its event afterwards. */
static void reset_event( HANDLE event )
{
    if ( port_delivering_event == event ) port_wait_for_event( event );
    event_reset( event );
}

/* A real handle of the calling thread, kept for its life. */
static HANDLE own_thread( void )
{
    struct thread_data *data = thread_data();

    if ( !data ) return NULL;
    if ( !data->thread )
        DuplicateHandle( GetCurrentProcess(), GetCurrentThread(), GetCurrentProcess(), &data->thread, 0, FALSE,
                         DUPLICATE_SAME_ACCESS );
    return data->thread;
}

void completion_cancel_of_thread( DWORD thread_id )
{
    struct ws2_operation_cancel_params cancel = { .thread_id = thread_id, .keep_ports = 1 };

    if ( ws2host_call( ws2_call_operation_cancel, &cancel ) || cancel.error ) return;
    /* also when another thread has cancelled them first: it has told of them all then */
    completion_deliver();
}

void completion_thread_ends( struct thread_data *data )
{
    if ( data->pended ) completion_cancel_of_thread( GetCurrentThreadId() );
    if ( data->thread ) CloseHandle( data->thread );
}

enum overlapped_how completion_how( SOCKET s )
{
    struct ws2_socket_info_params info = { .handle = s };

    return ws2_call( socket_info, &info ) || ( info.flags & WS2_FLAG_OVERLAPPED ) ? OVERLAPPED_NORMAL : OVERLAPPED_WAIT;
}

/* Handles that are not overlapped: the request is started with an event of ours, and waited for. */
static NTSTATUS start_and_wait( unsigned int code, struct ws2_operation *operation,
                                const struct overlapped_request *request, UINT32 options )
{
    IO_STATUS_BLOCK iosb = { .Status = STATUS_PENDING };
    struct overlapped_request private = { .event = CreateEventW( NULL, TRUE, FALSE, NULL ), .iosb = &iosb };
    NTSTATUS status;

    if ( !private.event ) return status_of_error( WSAENOBUFS );
    status = completion_start( code, operation, &private, OVERLAPPED_NORMAL, options | TARGET_SYNCHRONOUS );
    if ( status == STATUS_PENDING )
    {
        NtWaitForSingleObject( private.event, FALSE, NULL );
        status = iosb.Status;
        operation->error = 0;
    }
    CloseHandle( private.event );
    if ( !NT_ERROR_( status ) )
        overlapped_finish( (HANDLE)(UINT_PTR)operation->handle, request, status, iosb.Information );
    operation->information = iosb.Information;
    return status;
}

/* What follows the call that began it, or had an error. */
static NTSTATUS started( unsigned int code, struct ws2_operation *operation, int error )
{
    struct thread_data *data;

    if ( operation->need_io_thread )
    {
        operation->need_io_thread = 0;
        ws2_start_io_thread();
    }
    if ( error == WSA_IO_PENDING )
    {
        if ( ( data = thread_data() ) ) data->pended = TRUE;
        return STATUS_PENDING;
    }
    if ( error && error != WSAEMSGSIZE ) return status_of_error( error );
    /* a send that is too long is an error; a datagram cut short is a result */
    if ( error && code != ws2_call_operation_receive ) return (NTSTATUS)0xc0000206; /* STATUS_INVALID_BUFFER_SIZE */
    complete_at_once( &operation->target, &operation->port, status_of_error( error ), operation->information,
                      operation->flags, operation->ended );
    return status_of_error( error );
}

NTSTATUS completion_start_block( unsigned int code, struct ws2_operation *operation, OVERLAPPED *overlapped,
                                 UINT32 options, int *error )
{
    operation->target = ( struct ws2_operation_target ){ .iosb = ws2_pointer( overlapped ),
                                                         .thread_id = GetCurrentThreadId(),
                                                         .options = options };
    operation->how = WS2_OPERATION_KIND | WS2_OPERATION_BLOCK;
    *error = ws2_call_( code, operation );
    if ( operation->ended ) return started( code, operation, 0 );
    if ( *error == WS2_ERROR_EVENT )
    {
        operation->error = 0;
        return 0;
    }
    if ( operation->synchronous )
    {
        const struct overlapped_request request = { .iosb = (IO_STATUS_BLOCK *)overlapped,
                                                    .apc_context = (void *)(UINT_PTR)operation->target.apc_context };

        operation->synchronous = 0;
        return start_and_wait( code, operation, &request, options & ~TARGET_STORE_FLAGS );
    }
    return started( code, operation, *error );
}

NTSTATUS completion_start( unsigned int code, struct ws2_operation *operation, const struct overlapped_request *request,
                           enum overlapped_how how, UINT32 options )
{
    const BOOL is_transfer = code == ws2_call_operation_receive || code == ws2_call_operation_send;
    int error;

    if ( request->apc )
    {
        struct ws2_port_params port = { .handle = operation->handle };

        if ( ( error = ws2_call( port_query, &port ) ) ) return status_of_error( error );
        if ( port.port.handle ) return STATUS_INVALID_PARAMETER;
    }
    if ( how == OVERLAPPED_WAIT ) return start_and_wait( code, operation, request, options & ~TARGET_STORE_FLAGS );

    operation->target = ( struct ws2_operation_target ){ .iosb = ws2_pointer( request->iosb ),
                                                         .event = ws2_pointer( plain_event( request->event ) ),
                                                         .apc = ws2_pointer( request->apc ),
                                                         .apc_context = ws2_pointer( request->apc_context ),
                                                         .thread_id = GetCurrentThreadId(),
                                                         .options = options };
    if ( request->apc && !( operation->target.thread = ws2_pointer( own_thread() ) ) )
        return status_of_error( WSAENOBUFS );
    operation->how &= WS2_OPERATION_ROUTES; /* the rest is of an attempt before */
    if ( how == OVERLAPPED_NO_WAIT ) operation->how |= WS2_OPERATION_NO_WAIT;
    if ( ( is_transfer || code == ws2_call_afd_poll ) && !( options & TARGET_SYNCHRONOUS ) )
        operation->how |= WS2_OPERATION_KIND;
    if ( plain_event( request->event ) )
    {
        /* an operation that may end at once has its event reset only when it does not */
        if ( is_transfer ) operation->how |= WS2_OPERATION_TRY;
        else reset_event( plain_event( request->event ) );
    }
    error = ws2_call_( code, operation );
    if ( operation->synchronous )
    {
        operation->synchronous = 0;
        return start_and_wait( code, operation, request, options & ~TARGET_STORE_FLAGS );
    }
    if ( error == WSAEWOULDBLOCK && ( operation->how & WS2_OPERATION_TRY ) )
    {
        /* now it waits: the event is reset before anything can set it */
        reset_event( plain_event( request->event ) );
        operation->how &= ~WS2_OPERATION_TRY;
        error = ws2_call_( code, operation );
    }
    if ( operation->held )
    {
        reset_event( plain_event( request->event ) );
        ws2_call( operation_release, operation );
    }
    return started( code, operation, error );
}

void overlapped_finish( HANDLE s, const struct overlapped_request *request, NTSTATUS status, ULONG_PTR information )
{
    const struct ws2_operation_target target = { .iosb = ws2_pointer( request->iosb ),
                                                 .event = ws2_pointer( request->event ),
                                                 .apc = ws2_pointer( request->apc ),
                                                 .apc_context = ws2_pointer( request->apc_context ) };
    struct ws2_port_params port = { .handle = ws2_pointer( s ) };

    if ( ws2host_call( ws2_call_port_query, &port ) ) port.port = ( struct ws2_port ){ 0 };
    complete_at_once( &target, &port.port, status, information, 0, FALSE );
}

NTSTATUS overlapped_cancel( HANDLE s, IO_STATUS_BLOCK *iosb, BOOL only_this_thread )
{
    struct ws2_operation_cancel_params params = { .handle = ws2_pointer( s ),
                                                  .iosb = ws2_pointer( iosb ),
                                                  .thread_id = only_this_thread ? GetCurrentThreadId() : 0,
                                                  .excluded_options = TARGET_REGISTERED };
    int error;

    if ( ( error = ws2_call( operation_cancel, &params ) ) ) return status_of_error( error );
    if ( !params.count ) return (NTSTATUS)0xc0000225 /* STATUS_NOT_FOUND */;
    completion_deliver();
    return 0;
}

/* --- Winsock's terms ----------------------------------------------------------------------------------------------------*/

static void CALLBACK completion_call_routine( void *routine, IO_STATUS_BLOCK *iosb, ULONG flags )
{
    ( (LPWSAOVERLAPPED_COMPLETION_ROUTINE)routine )( status_to_error( iosb->Status ), (DWORD)iosb->Information,
                                                     (OVERLAPPED *)iosb, flags );
}

int completion_request( struct overlapped_request *request, OVERLAPPED *overlapped,
                        LPWSAOVERLAPPED_COMPLETION_ROUTINE routine )
{
    const ULONG_PTR pending = STATUS_PENDING;
    HANDLE event;

    if ( ws2_read( &event, &overlapped->hEvent, sizeof( event ) ) ||
         ws2_write( &overlapped->Internal, &pending, sizeof( pending ) ) )
        return WSAEFAULT;
    request->iosb = (IO_STATUS_BLOCK *)overlapped;
    /* the event is the program's own when there is a routine */
    request->event = routine ? NULL : plain_event( event );
    request->apc = routine ? (void *)completion_call_routine : NULL;
    request->apc_context = routine ? (void *)routine : (ULONG_PTR)event & 1 ? NULL : overlapped;
    return 0;
}

int overlapped_wait_for_change( SOCKET s, OVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine,
                                BOOL routes )
{
    struct ws2_operation operation = { .handle = s, .how = routes ? WS2_OPERATION_ROUTES : 0 };
    struct overlapped_request request;
    NTSTATUS status;
    int error;

    if ( ( error = completion_request( &request, overlapped, routine ) ) ) return error;
    status = completion_start( ws2_call_operation_idle, &operation, &request, completion_how( s ), 0 );
    if ( status == STATUS_PENDING ) return WSA_IO_PENDING;
    return operation.error ? operation.error : status_to_error( status );
}

int overlapped_pending( OVERLAPPED *overlapped )
{
    const ULONG_PTR pending = STATUS_PENDING;

    return ws2_write( &overlapped->Internal, &pending, sizeof( pending ) );
}

int overlapped_complete( SOCKET s, OVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, NTSTATUS status,
                         DWORD size )
{
    struct overlapped_request request;
    int error = completion_request( &request, overlapped, routine );

    if ( !error ) overlapped_finish( (HANDLE)s, &request, status, size );
    return error;
}
