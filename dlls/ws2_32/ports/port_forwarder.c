/*
 * The courier: a thread that sleeps in wineserver and brings what comes there, for all ports that sockets use, to their
 * queues in the process at once: the packets of the loader's own files and of other processes. All threads of the program
 * wait in the host half, so the courier alone takes from wineserver's queues. One serves as many ports as a wait may have
 * handles; beyond that there are more of them. They stay.
 *
 * Another process that has got itself a handle of a port tells nobody. When packets are left lying, the courier looks
 * whether there are more handles than ours, and gives the port up to wineserver if so.
 */
#include "ports/port_queue_private.h"
#include "ports/ports.h"
#include "base/worker.h"

#define LOOK_MS 100       /* between two looks, while packets lie */
#define PACKETS_A_TURN 64 /* of one port, then it is the others' turn */
#define COME_TRIES 100    /* an order for a thread that has been ended, it seems */
#define MOST_PORTS ( MAXIMUM_WAIT_OBJECTS - 1 )

struct courier
{
    struct courier *next;
    HANDLE event; /* something about its ports has changed */
    UINT32 count; /* of the ports, those to be left included */
    struct
    {
        struct port_queue *queue; /* counted */
        HANDLE port;              /* its own: the program's may be closed, and its value used again, during a wait */
        BOOL leave;
    } ports[MOST_PORTS];
    UINT32 turn;
};

static SRWLOCK lock = SRWLOCK_INIT; /* the list, counts and ports; taken after a queue's lock */
static struct courier *couriers;

static void empty( struct port_queue *queue, HANDLE port )
{
    BOOL wake, order;

    /* from one queue to the other under the lock: whoever looks finds a packet in one of them */
    AcquireSRWLockExclusive( &queue->lock );
    port_queue_fetch( queue, port, PACKETS_A_TURN, &order );
    wake = port_queue_to_wake( queue );
    ReleaseSRWLockExclusive( &queue->lock );
    if ( wake ) port_queue_wake( queue );
    if ( order && queue->in_server && queue->tries++ < COME_TRIES )
    {
        /* meant for a thread that sleeps there still */
        Sleep( 1 );
        port_queue_order( queue );
    }
}

/* Whether the port's packets have been left lying while others have handles of it. */
static BOOL is_of_others( struct port_queue *queue )
{
    PUBLIC_OBJECT_BASIC_INFORMATION info;
    BOOL others = FALSE;

    AcquireSRWLockExclusive( &queue->lock );
    if ( queue->closed || !queue->count || queue->waiting > 0 ) queue->asked = FALSE;
    else if ( GetTickCount() - queue->visited >= LOOK_MS )
        others = !nt_NtQueryObject( queue->handle, OBJECT_BASIC_INFORMATION, &info, sizeof( info ), NULL ) &&
                 info.HandleCount > OBJECT_HANDLES_OF_OURS;
    ReleaseSRWLockExclusive( &queue->lock );
    return others;
}

/* Ports to be left are left; the others' handles and the event's. Whether any is to be looked at again. */
static BOOL collect( struct courier *courier, HANDLE *handles, struct port_queue **queues, UINT32 *count )
{
    struct port_queue *left[MOST_PORTS];
    UINT32 leaving = 0, kept = 0;
    BOOL asked = FALSE;

    AcquireSRWLockExclusive( &lock );
    for ( UINT32 i = 0; i < courier->count; i++ )
    {
        if ( courier->ports[i].leave )
        {
            nt_NtClose( courier->ports[i].port );
            left[leaving++] = courier->ports[i].queue;
        }
        else courier->ports[kept++] = courier->ports[i];
    }
    courier->count = kept;
    /* each in turn is the first, which the wait prefers */
    for ( UINT32 i = 0; i < kept; i++ )
    {
        UINT32 from = ( i + courier->turn ) % kept;

        handles[i] = courier->ports[from].port;
        queues[i] = courier->ports[from].queue;
        asked |= queues[i]->asked;
    }
    courier->turn++;
    handles[ *count = kept] = courier->event;
    ReleaseSRWLockExclusive( &lock );

    for ( UINT32 i = 0; i < leaving; i++ )
    {
        InterlockedExchange( &left[i]->carried, FALSE );
        RtlWakeAddressAll( &left[i]->carried );
        port_queue_release( left[i] );
    }
    if ( leaving ) port_closed(); /* that handle may have been the last but one */
    return asked;
}

static void carry( void *argument )
{
    struct courier *courier = argument;

    for ( ;; )
    {
        HANDLE handles[MAXIMUM_WAIT_OBJECTS];
        struct port_queue *queues[MOST_PORTS];
        UINT32 count, ready;
        LARGE_INTEGER timeout = { .QuadPart = -LOOK_MS * 10000 };
        BOOL asked = collect( courier, handles, queues, &count );

        ready = nt_NtWaitForMultipleObjects( count + 1, handles, TRUE, FALSE, asked ? &timeout : NULL );
        if ( ready < count ) empty( queues[ready], handles[ready] );
        if ( !asked ) continue;
        for ( UINT32 i = 0; i < count; i++ )
        {
            struct port_queue *queue = queues[i];

            if ( !queue->asked || !is_of_others( queue ) ) continue;
            port_queue_hold( queue );
            port_forwarder_leave( queue );
            collect( courier, handles, queues, &count );
            port_queue_give_up( queue );
            port_queue_release( queue );
            break;
        }
    }
}

static void notify( const struct courier *courier ) { SetEvent( courier->event ); }

/* One that has room; the lock is held. */
static struct courier *find_room( BOOL *made )
{
    struct courier *courier = couriers;

    while ( courier && courier->count == MOST_PORTS ) courier = courier->next;
    if ( courier || !( courier = calloc( 1, sizeof( *courier ) ) ) ) return courier;
    if ( !( courier->event = CreateEventW( NULL, FALSE, FALSE, NULL ) ) )
    {
        free( courier );
        return NULL;
    }
    courier->next = couriers;
    *made = TRUE;
    return couriers = courier;
}

void port_forwarder_join( struct port_queue *queue )
{
    struct courier *courier;
    BOOL made = FALSE;
    HANDLE port;

    if ( nt_NtDuplicateObject( GetCurrentProcess(), queue->handle, GetCurrentProcess(), &port, 0, 0,
                               DUPLICATE_SAME_ACCESS ) )
        return;
    AcquireSRWLockExclusive( &lock );
    if ( ( courier = find_room( &made ) ) )
    {
        port_queue_hold( queue );
        queue->carried = TRUE;
        courier->ports[courier->count].queue = queue;
        courier->ports[courier->count].port = port;
        courier->ports[courier->count].leave = FALSE;
        courier->count++;
    }
    ReleaseSRWLockExclusive( &lock );
    /* the port may have been closed, or given up, meanwhile */
    if ( courier && ( queue->closed || queue->shared ) ) port_forwarder_leave( queue );
    if ( !courier ) nt_NtClose( port );
    /* no lock is held: the loader's, which a new thread takes, is held where threads end and take ours */
    else if ( made ) worker_start( carry, courier );
    else notify( courier );
}

void port_forwarder_leave( struct port_queue *queue )
{
    struct courier *of = NULL;

    AcquireSRWLockExclusive( &lock );
    for ( struct courier *courier = couriers; courier; courier = courier->next )
        for ( UINT32 i = 0; i < courier->count; i++ )
            if ( courier->ports[i].queue == queue )
            {
                courier->ports[i].leave = TRUE;
                of = courier;
            }
    ReleaseSRWLockExclusive( &lock );
    if ( of ) notify( of );
}

void port_forwarder_look( struct port_queue *queue )
{
    AcquireSRWLockShared( &lock );
    for ( struct courier *courier = couriers; courier; courier = courier->next )
        for ( UINT32 i = 0; i < courier->count; i++ )
            if ( courier->ports[i].queue == queue ) notify( courier );
    ReleaseSRWLockShared( &lock );
}

void port_forwarder_part( struct port_queue *queue )
{
    const LONG carried = TRUE;
    const LARGE_INTEGER second = { .QuadPart = -10000000 };

    if ( !queue->carried ) return;
    port_forwarder_leave( queue );
    for ( unsigned int i = 0; i < 3 && queue->carried; i++ )
        RtlWaitOnAddress( &queue->carried, &carried, sizeof( carried ), &second );
}
