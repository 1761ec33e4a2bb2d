/* Completion ports as a program uses them, and threads that take from one: for port_queue.c, on nt_ports.h. */
#ifndef WS2HOST_TEST_PORT_TAKERS_H
#define WS2HOST_TEST_PORT_TAKERS_H

#include <semaphore.h>
#include <stdatomic.h>
#include "nt_ports.h"

#define KEY_OWN 1
#define KEY_FOREIGN 2
#define MOST_TAKEN 40000
#define MOST_TAKERS 100
#define CLOSED ( (NTSTATUS)0x800702df )

/* Waits for condition, at most a minute: never for a time. */
#define await( condition ) \
    do { \
        const int64_t begin_ = nt_now_us(); \
        while ( !( condition ) && nt_now_us() - begin_ < 60000000 ) usleep( 500 ); \
        ck_assert_msg( condition, "%s", #condition ); \
    } while ( 0 )

static HANDLE make_port( ULONG concurrency )
{
    HANDLE port;

    ck_assert_int_eq( hook_NtCreateIoCompletion( &port, 0, NULL, concurrency ), 0 );
    return port;
}

/* The first socket comes to the port. */
static void begin( HANDLE port )
{
    struct port_queue *queue = port_queue_find( port );

    ck_assert_ptr_nonnull( queue );
    ck_assert_uint_ne( port_queue_begin( queue ), 0 );
    port_queue_release( queue );
}

static HANDLE used_port( ULONG concurrency )
{
    HANDLE port = make_port( concurrency );

    begin( port );
    return port;
}

static void close_port( HANDLE port )
{
    port_queue_closing( port );
    nt_close( port );
}

static void post( HANDLE port, ULONG_PTR value )
{
    ck_assert_int_eq( hook_NtSetIoCompletion( port, KEY_OWN, value, (NTSTATUS)( value * 3 ), value * 5 ), 0 );
}

/* As another process, or a file of the loader's, does. */
static void post_foreign( HANDLE port, ULONG_PTR value )
{
    ck_assert_int_eq( nt_set( port, KEY_FOREIGN, value, (NTSTATUS)( value * 3 ), value * 5 ), 0 );
}

static void check_packet( const struct port_packet *packet, ULONG_PTR key, ULONG_PTR value )
{
    ck_assert_uint_eq( packet->key, key );
    ck_assert_uint_eq( packet->value, value );
    ck_assert_int_eq( packet->iosb.Status, (NTSTATUS)( value * 3 ) );
    ck_assert_uint_eq( packet->iosb.Information, value * 5 );
}

static NTSTATUS take( HANDLE port, struct port_packet *packet, LARGE_INTEGER *timeout )
{
    return hook_NtRemoveIoCompletion( port, &packet->key, &packet->value, &packet->iosb, timeout );
}

static void take_value( HANDLE port, ULONG_PTR key, ULONG_PTR value )
{
    struct port_packet packet;

    ck_assert_int_eq( take( port, &packet, NULL ), 0 );
    check_packet( &packet, key, value );
}

static void take_nothing( HANDLE port )
{
    LARGE_INTEGER none = { .QuadPart = 0 };
    struct port_packet packet = { 77, 78, { { 79 }, 80 } };

    ck_assert_msg( take( port, &packet, &none ) == 0x102, "key %#zx, value %#zx", packet.key, packet.value );
    ck_assert( packet.key == 77 && packet.value == 78 && packet.iosb.Status == 79 && packet.iosb.Information == 80 );
}

/* --- threads that take --------------------------------------------------------------------------------------------------*/

enum then
{
    COMES_BACK, /* takes the next packet */
    SPINS,      /* runs until it is let go */
    SLEEPS      /* sleeps until it is let go */
};

struct taker
{
    pthread_t thread;
    HANDLE port;
    _Atomic enum then then;
    pid_t id;
    _Atomic int started, go, ended;
    sem_t let_go;
    _Atomic unsigned int count;
    NTSTATUS status;
    struct port_packet *taken;
};

static void *taker_run( void *argument )
{
    struct taker *taker = argument;
    struct port_packet packet = { 0 };

    taker->id = syscall( SYS_gettid );
    atomic_store( &taker->started, 1 );
    while ( !( taker->status = take( taker->port, &packet, NULL ) ) )
    {
        const enum then then = taker->then;

        ck_assert_uint_lt( taker->count, MOST_TAKEN );
        taker->taken[taker->count] = packet;
        atomic_fetch_add( &taker->count, 1 );
        if ( then == SPINS )
        {
            while ( !atomic_load( &taker->go ) ) continue;
            atomic_store( &taker->go, 0 );
        }
        if ( then == SLEEPS )
            while ( sem_wait( &taker->let_go ) ) continue;
    }
    port_user_ends( &thread_data()->port_user );
    atomic_store( &taker->ended, 1 );
    return NULL;
}

/* What all have taken, until the process ends. */
static struct port_packet *memory[MOST_TAKERS];
static unsigned int memories;

static void taker_start( struct taker *taker, HANDLE port, enum then then )
{
    memset( taker, 0, sizeof( *taker ) );
    taker->port = port;
    taker->then = then;
    ck_assert_uint_lt( memories, MOST_TAKERS );
    taker->taken = memory[memories++] = calloc( MOST_TAKEN, sizeof( *taker->taken ) );
    sem_init( &taker->let_go, 0, 0 );
    ck_assert_int_eq( pthread_create( &taker->thread, NULL, taker_run, taker ), 0 );
    await( atomic_load( &taker->started ) );
}

/* What the host says of a thread: 'S' asleep, 'R' running or wanting to. */
static char state_of( const struct taker *taker )
{
    char path[64], text[512] = "", *state;
    FILE *file;

    snprintf( path, sizeof( path ), "/proc/self/task/%d/stat", (int)taker->id );
    if ( ( file = fopen( path, "r" ) ) )
    {
        if ( !fgets( text, sizeof( text ), file ) ) text[0] = 0;
        fclose( file );
    }
    return ( state = strrchr( text, ')' ) ) ? state[2] : 0;
}

/* So many threads wait for the port's packets here, that one being among them. */
static int waits_here( const struct taker *taker, HANDLE port, LONG count )
{
    struct port_queue *queue = port_queue_find( port );
    const LONG waiting = __atomic_load_n( &queue->waiting, __ATOMIC_SEQ_CST );

    port_queue_release( queue );
    return waiting == count && state_of( taker ) == 'S';
}

static enum port_state state_of_port( HANDLE port )
{
    struct port_queue *queue = port_queue_find( port );
    enum port_state state;

    port_queue_lock( queue );
    state = queue->state;
    port_queue_unlock( queue );
    port_queue_release( queue );
    return state;
}

/* Who comes to a port at the very moment of its closing is not what is looked at: all wait. */
static void close_under( struct taker *takers, int count, HANDLE port )
{
    for ( int i = 0; i < count; i++ ) await( waits_here( &takers[i], port, count ) );
    close_port( port );
    for ( int i = 0; i < count; i++ )
    {
        pthread_join( takers[i].thread, NULL );
        ck_assert_int_eq( takers[i].status, CLOSED );
    }
}

#endif
