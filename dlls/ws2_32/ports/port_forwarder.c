/*
 * The forwarder of wineserver's packets: a thread that sleeps in wineserver and brings what comes there, for all ports that
 * sockets use, to their queues in the process at once: the packets of the loader's own files and of other processes. All
 * threads of the program wait in the host half, so the forwarder alone takes from wineserver's queues. One serves as many
 * ports as a wait may have handles; beyond that there are more of them. They stay.
 *
 * Another process that has got itself a handle of a port tells nobody. When packets are left lying, the forwarder looks
 * whether there are more handles than ours, and gives the port up to wineserver if so.
 */
#include "ports/port_queue_private.h"
#include "ports/ports.h"
#include "base/worker.h"

#define LOOK_MS 100        /* between two looks, while packets lie */
#define PACKETS_A_TURN 64  /* of one port, then it is the others' turn */
#define MOST_REDIRECTS 100 /* then the thread that is meant has been ended, it seems */
#define MOST_PORTS ( MAXIMUM_WAIT_OBJECTS - 1 )

struct forwarder
{
    struct forwarder *next;
    /* A port of its own, where a packet says that something about its ports has changed. No event: loaders that keep events
     * in the process (esync, fsync) cannot wait for one of those and for ports at once. */
    HANDLE news;
    UINT32 count; /* of the ports, those to be left included */
    struct
    {
        struct port_queue *queue; /* counted */
        HANDLE port;              /* its own: the program's may be closed, and its value used again, during a wait */
        BOOL leave;
    } ports[MOST_PORTS];
    UINT32 turn;
};

static SRWLOCK forwarders_lock = SRWLOCK_INIT; /* the list, counts and ports; taken after a queue's lock */
static struct forwarder *forwarders;

static void forwarder_empty( struct port_queue *queue, HANDLE port )
{
    BOOL wake, redirect;

    /* from one queue to the other under the lock: a thread that looks finds a packet in one of them */
    port_queue_lock( queue );
    port_queue_fetch( queue, port, PACKETS_A_TURN, &redirect );
    wake = port_queue_to_wake( queue );
    port_queue_unlock( queue );
    if ( wake ) port_queue_wake( queue );
    if ( redirect && queue->in_server && queue->redirects++ < MOST_REDIRECTS )
    {
        /* meant for a thread that sleeps there still, which is to have the time to take it; by a handle of our own, as the
         * program may have closed its own by now, and the value may be another port's */
        port_queue_redirect( queue, port );
        Sleep( 1 );
    }
}

/* Whether the port's packets have been left lying while others have handles of it. */
static BOOL is_of_others( struct port_queue *queue )
{
    PUBLIC_OBJECT_BASIC_INFORMATION info;
    BOOL others = FALSE;

    port_queue_lock( queue );
    if ( !port_queue_keeps( queue ) || !queue->count || queue->waiting > 0 ) queue->suspect = FALSE;
    else if ( GetTickCount() - queue->asked >= LOOK_MS )
        others = !nt_NtQueryObject( queue->handle, OBJECT_BASIC_INFORMATION, &info, sizeof( info ), NULL ) &&
                 info.HandleCount > OBJECT_HANDLES_OF_OURS;
    port_queue_unlock( queue );
    return others;
}

/* Ports to be left are left; the others' handles and its own. Whether any is to be looked at again. */
static BOOL forwarder_collect( struct forwarder *forwarder, HANDLE *handles, struct port_queue **queues, UINT32 *count )
{
    struct port_queue *left[MOST_PORTS];
    UINT32 leaving = 0, kept = 0;
    BOOL suspect = FALSE;

    lock_exclusive( &forwarders_lock );
    for ( UINT32 i = 0; i < forwarder->count; i++ )
    {
        if ( forwarder->ports[i].leave )
        {
            nt_NtClose( forwarder->ports[i].port );
            left[leaving++] = forwarder->ports[i].queue;
        }
        else forwarder->ports[kept++] = forwarder->ports[i];
    }
    forwarder->count = kept;
    /* each in turn is the first, which the wait prefers */
    for ( UINT32 i = 0; i < kept; i++ )
    {
        UINT32 from = ( i + forwarder->turn ) % kept;

        handles[i] = forwarder->ports[from].port;
        queues[i] = forwarder->ports[from].queue;
        suspect |= queues[i]->suspect;
    }
    forwarder->turn++;
    handles[ *count = kept] = forwarder->news;
    ReleaseSRWLockExclusive( &forwarders_lock );

    for ( UINT32 i = 0; i < leaving; i++ )
    {
        InterlockedExchange( &left[i]->forwarded, FALSE );
        RtlWakeAddressAll( &left[i]->forwarded );
        port_queue_release( left[i] );
    }
    if ( leaving ) port_closed(); /* that handle may have been the last but one */
    return suspect;
}

static void forwarder_read_news( const struct forwarder *forwarder )
{
    LARGE_INTEGER none = { 0 };
    IO_STATUS_BLOCK iosb;
    ULONG_PTR key, value;

    while ( !nt_NtRemoveIoCompletion( forwarder->news, &key, &value, &iosb, &none ) ) continue;
}

static void forwarder_run( void *argument )
{
    struct forwarder *forwarder = argument;

    for ( ;; )
    {
        HANDLE handles[MAXIMUM_WAIT_OBJECTS];
        struct port_queue *queues[MOST_PORTS];
        UINT32 count, ready;
        LARGE_INTEGER timeout = { .QuadPart = -LOOK_MS * 10000 };
        BOOL suspect = forwarder_collect( forwarder, handles, queues, &count );

        ready = nt_NtWaitForMultipleObjects( count + 1, handles, TRUE, FALSE, suspect ? &timeout : NULL );
        if ( ready < count ) forwarder_empty( queues[ready], handles[ready] );
        else if ( ready == count ) forwarder_read_news( forwarder );
        if ( !suspect ) continue;
        for ( UINT32 i = 0; i < count; i++ )
        {
            struct port_queue *queue = queues[i];

            if ( !queue->suspect || !is_of_others( queue ) ) continue;
            port_queue_hold( queue );
            port_forwarder_leave( queue );
            forwarder_collect( forwarder, handles, queues, &count );
            port_queue_give_up( queue );
            port_queue_release( queue );
            break;
        }
    }
}

static void forwarder_notify( const struct forwarder *forwarder )
{
    nt_NtSetIoCompletion( forwarder->news, 0, 0, 0, 0 );
}

/* One that has room; the lock is held. */
static struct forwarder *forwarder_with_room( BOOL *made )
{
    struct forwarder *forwarder = forwarders;

    while ( forwarder && forwarder->count == MOST_PORTS ) forwarder = forwarder->next;
    if ( forwarder || !( forwarder = calloc( 1, sizeof( *forwarder ) ) ) ) return forwarder;
    if ( nt_NtCreateIoCompletion( &forwarder->news, 0x1f0003 /* IO_COMPLETION_ALL_ACCESS */, NULL, 0 ) )
    {
        free( forwarder );
        return NULL;
    }
    forwarder->next = forwarders;
    *made = TRUE;
    return forwarders = forwarder;
}

void port_forwarder_join( struct port_queue *queue )
{
    struct forwarder *forwarder;
    BOOL made = FALSE;
    HANDLE port;

    if ( nt_NtDuplicateObject( GetCurrentProcess(), queue->handle, GetCurrentProcess(), &port, 0, 0,
                               DUPLICATE_SAME_ACCESS ) )
        return;
    lock_exclusive( &forwarders_lock );
    if ( ( forwarder = forwarder_with_room( &made ) ) )
    {
        port_queue_hold( queue );
        queue->forwarded = TRUE;
        forwarder->ports[forwarder->count].queue = queue;
        forwarder->ports[forwarder->count].port = port;
        forwarder->ports[forwarder->count].leave = FALSE;
        forwarder->count++;
    }
    ReleaseSRWLockExclusive( &forwarders_lock );
    /* the port may have been closed, or given up, meanwhile */
    if ( forwarder && !port_queue_keeps( queue ) ) port_forwarder_leave( queue );
    if ( !forwarder ) nt_NtClose( port );
    /* no lock is held: the loader's, which a new thread takes, is held where threads end and take ours */
    else if ( made ) worker_start( forwarder_run, forwarder );
    else forwarder_notify( forwarder );
}

void port_forwarder_leave( struct port_queue *queue )
{
    struct forwarder *of = NULL;

    lock_exclusive( &forwarders_lock );
    for ( struct forwarder *forwarder = forwarders; forwarder; forwarder = forwarder->next )
        for ( UINT32 i = 0; i < forwarder->count; i++ )
            if ( forwarder->ports[i].queue == queue )
            {
                forwarder->ports[i].leave = TRUE;
                of = forwarder;
            }
    ReleaseSRWLockExclusive( &forwarders_lock );
    if ( of ) forwarder_notify( of );
}

void port_forwarder_look( struct port_queue *queue )
{
    lock_shared( &forwarders_lock );
    for ( struct forwarder *forwarder = forwarders; forwarder; forwarder = forwarder->next )
        for ( UINT32 i = 0; i < forwarder->count; i++ )
            if ( forwarder->ports[i].queue == queue ) forwarder_notify( forwarder );
    ReleaseSRWLockShared( &forwarders_lock );
}

void port_forwarder_part( struct port_queue *queue )
{
    const LONG forwarded = TRUE;
    const LARGE_INTEGER second = { .QuadPart = -10000000 };

    if ( !queue->forwarded ) return;
    port_forwarder_leave( queue );
    for ( unsigned int i = 0; i < 3 && queue->forwarded; i++ )
        RtlWaitOnAddress( &queue->forwarded, &forwarded, sizeof( forwarded ), &second );
}
