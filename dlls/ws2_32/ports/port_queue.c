/*
 * Packets of completion ports in the process: the queues themselves.
 *
 * A port that this process makes has a queue here, known by the handle's value. While it is used, everything comes to the
 * one queue: what ends on our sockets, what the program posts (port_routes.c), and what the loader's own files and other
 * processes post (port_forwarder.c). Threads wait for it in the host half (port_take.c), where they also perform what the
 * port's sockets have pending.
 */
#include "ports/port_queue_private.h"

#define WOKEN_MS 50 /* a thread that has not come by then was ended */
#define CHECK_MS 50 /* the same of one that is held back */

#define BUCKETS 256
static struct port_queue *volatile buckets[BUCKETS];
static SRWLOCK buckets_lock = SRWLOCK_INIT;

static struct port_queue *volatile *bucket_of( HANDLE handle )
{
    return &buckets[(UINT_PTR)handle >> 2 & ( BUCKETS - 1 )];
}

struct port_queue *port_queue_find( HANDLE port )
{
    struct port_queue *volatile *bucket = bucket_of( port );
    struct port_queue *queue;

    if ( !*bucket ) return NULL;
    lock_shared( &buckets_lock );
    for ( queue = *bucket; queue && !is_same_handle( queue->handle, port ); ) queue = queue->next;
    if ( queue ) InterlockedIncrement( &queue->references );
    ReleaseSRWLockShared( &buckets_lock );
    return queue;
}

void port_queue_name( struct port_queue *queue, UINT32 id ) { queue->id = id; }

struct port_queue *port_queue_own( UINT32 id )
{
    struct port_queue *queue = port_queue_of_thread();

    if ( !queue || queue->id != id ) return NULL;
    port_queue_hold( queue );
    return queue;
}

void port_queue_hold( struct port_queue *queue ) { InterlockedIncrement( &queue->references ); }

void port_queue_release( struct port_queue *queue )
{
    struct ws2_port_open_params params = { 0 };
    struct late_status *late;

    if ( !queue || InterlockedDecrement( &queue->references ) ) return;
    params.port = queue->host;
    ws2host_call( ws2_call_port_close, &params );
    free( queue->packets );
    while ( ( late = queue->late ) )
    {
        queue->late = late->next;
        free( late );
    }
    free( queue );
}

BOOL port_queue_may_be( HANDLE port ) { return *bucket_of( port ) != NULL; }

struct port_queue *port_queue_forget( HANDLE port )
{
    struct port_queue *volatile *link = bucket_of( port );
    struct port_queue *queue;

    if ( !*link ) return NULL;
    lock_exclusive( &buckets_lock );
    while ( ( queue = *link ) && !is_same_handle( queue->handle, port ) )
        link = (struct port_queue *volatile *)&queue->next;
    if ( queue )
    {
        *link = queue->next;
        __atomic_store_n( &queue->forgotten, TRUE, __ATOMIC_RELEASE );
    }
    ReleaseSRWLockExclusive( &buckets_lock );
    return queue;
}

/* The bucket's reference; one more for the caller when it is to be counted. */
static struct port_queue *queue_add( HANDLE handle, ULONG concurrency, LONG references )
{
    struct port_queue *queue = calloc( 1, sizeof( *queue ) ), *volatile *bucket = bucket_of( handle );
    SYSTEM_INFO system;

    if ( !queue ) return NULL;
    if ( !concurrency )
    {
        GetSystemInfo( &system );
        concurrency = system.dwNumberOfProcessors;
    }
    queue->handle = handle;
    queue->references = references;
    queue->limit = concurrency;
    lock_exclusive( &buckets_lock );
    queue->next = *bucket;
    *bucket = queue;
    ReleaseSRWLockExclusive( &buckets_lock );
    return queue;
}

NTSTATUS NTAPI hook_NtCreateIoCompletion( HANDLE *handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes,
                                          ULONG concurrency )
{
    NTSTATUS status = nt_NtCreateIoCompletion( handle, access, attributes, concurrency );

    /* one with a name, or that is inherited, others may wait on */
    if ( !status && !( attributes && ( attributes->ObjectName || ( attributes->Attributes & OBJ_INHERIT ) ) ) )
    {
        struct port_queue *queue = queue_add( *handle, concurrency, 1 );

        /* before the first WSAStartup nothing tells of the loader's files that come to the port */
        if ( queue && !hooks_view.handles ) queue->foreign = TRUE;
    }
    return status;
}

struct port_queue *port_queue_adopt( HANDLE port )
{
    PUBLIC_OBJECT_BASIC_INFORMATION info;
    struct port_queue *queue;

    /* one of our own beside the program's (ports.c) */
    if ( nt_NtQueryObject( port, OBJECT_BASIC_INFORMATION, &info, sizeof( info ), NULL ) || info.HandleCount > 2 )
        return NULL;
    if ( ( queue = queue_add( port, 0, 2 ) ) )
    {
        queue->state = PORT_ADOPTED;
        queue->foreign = TRUE;
    }
    return queue;
}

/* --- packets; the lock is held ------------------------------------------------------------------------------------------*/

BOOL port_queue_append( struct port_queue *queue, const struct port_packet *packet )
{
    if ( queue->count == queue->size )
    {
        UINT32 size = queue->size ? 2 * queue->size : 64;
        struct port_packet *packets = malloc( size * sizeof( *packets ) );

        if ( !packets ) return FALSE;
        for ( UINT32 i = 0; i < queue->count; i++ )
            packets[i] = queue->packets[( queue->first + i ) & ( queue->size - 1 )];
        free( queue->packets );
        queue->packets = packets;
        queue->size = size;
        queue->first = 0;
    }
    queue->packets[( queue->first + queue->count ) & ( queue->size - 1 )] = *packet;
    __atomic_signal_fence( __ATOMIC_SEQ_CST );
    queue->count++;
    return TRUE;
}

struct port_packet port_queue_first( struct port_queue *queue )
{
    struct port_packet packet = queue->packets[queue->first];

    queue->first_and_count = ( ( queue->first + 1 ) & ( queue->size - 1 ) ) | (UINT64)( queue->count - 1 ) << 32;
    return packet;
}

BOOL port_queue_add_late( struct port_queue *queue, ULONG_PTR value, IO_STATUS_BLOCK *iosb, NTSTATUS status,
                          ULONG_PTR information )
{
    struct late_status *late = malloc( sizeof( *late ) );

    if ( !late ) return FALSE;
    *late = ( struct late_status ){ queue->late, value, iosb, { { status }, information } };
    queue->late = late;
    return TRUE;
}

struct late_status *port_queue_late( struct port_queue *queue, const struct port_packet *packet )
{
    struct late_status **link = &queue->late, *found;

    while ( *link && ( *link )->value != packet->value ) link = &( *link )->next;
    if ( !( found = *link ) ) return NULL;
    *link = found->next;
    found->next = NULL;
    return found;
}

void port_queue_fill( IO_STATUS_BLOCK *iosb, NTSTATUS status, ULONG_PTR information )
{
    if ( !ws2_write( &iosb->Information, &information, sizeof( information ) ) )
        ws2_write( (void *)&iosb->Status, &status, sizeof( status ) );
}

void port_queue_fill_late( struct late_status *late )
{
    struct late_status *next;

    for ( ; late; late = next )
    {
        next = late->next;
        port_queue_fill( late->iosb, late->status.Status, late->status.Information );
        free( late );
    }
}

/* One at a time: a thread that was woken and finds more packets than it takes wakes the next. */
BOOL port_queue_to_wake( struct port_queue *queue )
{
    DWORD now;

    if ( queue->waiting <= 0 ) return FALSE;
    if ( port_queue_keeps( queue ) )
    {
        if ( !queue->count ) return FALSE;
        now = GetTickCount() | 1;
        if ( queue->woken && now - queue->woken < WOKEN_MS ) return FALSE;
        /* a thread that is held back looks from time to time whether it still need be; one is enough */
        if ( queue->running >= queue->limit && queue->checked && now - queue->checked < CHECK_MS ) return FALSE;
        queue->woken = now;
    }
    return TRUE;
}

void port_queue_wake( struct port_queue *queue )
{
    struct ws2_port_open_params params = { .port = queue->host };

    ws2host_call( ws2_call_port_wake, &params );
}

UINT32 port_queue_fetch( struct port_queue *queue, HANDLE port, UINT32 most, BOOL *redirect )
{
    struct port_packet packet;
    UINT32 count = 0;

    *redirect = FALSE;
    while ( count < most )
    {
        LARGE_INTEGER none = { .QuadPart = 0 };

        if ( nt_NtRemoveIoCompletion( port, &packet.key, &packet.value, &packet.iosb, &none ) ) break;
        if ( ( *redirect = port_queue_is_redirect( queue, packet.key, packet.value ) ) ) break;
        count += port_queue_append( queue, &packet );
    }
    return count;
}

void port_queue_redirect( struct port_queue *queue, HANDLE port )
{
    nt_NtSetIoCompletion( port, (ULONG_PTR)queue, ~(ULONG_PTR)queue, 0, 0 );
}

void port_queue_give_up( struct port_queue *queue )
{
    struct late_status *late;
    BOOL wake;

    port_queue_lock( queue );
    if ( queue->state == PORT_CLOSED )
    {
        /* the handle's value may be another object's by now */
        port_queue_unlock( queue );
        return;
    }
    queue->state = PORT_SHARED;
    while ( queue->count )
    {
        struct port_packet packet = port_queue_first( queue );

        nt_NtSetIoCompletion( queue->handle, packet.key, packet.value, packet.iosb.Status, packet.iosb.Information );
    }
    late = queue->late;
    queue->late = NULL;
    wake = port_queue_to_wake( queue );
    port_queue_unlock( queue );
    port_queue_fill_late( late );
    if ( wake ) port_queue_wake( queue );
}
