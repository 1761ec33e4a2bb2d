/*
 * The mapping of the table: see table_map.h.
 *
 * A window shows one block. Who pins one that is pinned already counts itself and takes no lock; all that makes or unmakes a
 * window is done under the lock, and no window goes whose pins are not 0 there, which only the lock's holder can change.
 */
#include <errno.h>
#include <sys/mman.h>
#include "base/host_mutex.h"
#include "base/unix_private.h"
#include "client/table_map.h"

#define WINDOW_SIZE ( WS2_BLOCK_SLOTS * sizeof( struct ws2_slot ) )
#define IDLE_WINDOWS 64u

_Static_assert( WS2_TABLE_SLOTS % 4096 == 0 && WINDOW_SIZE % 4096 == 0, "a window is whole pages" );

int table_windows = sizeof( void * ) == 4;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void *whole; /* NULL by windows */
static int table_fd = -1;
struct window
{
    _Atomic( struct ws2_slot * ) slots; /* NULL without a mapping */
    _Atomic uint32_t pins;
};
struct window table_window[WS2_BLOCK_COUNT] WS2_SPARSE;
/* blocks whose windows were left unpinned last, plus 1; those pinned again since are no longer meant */
static uint32_t idle[IDLE_WINDOWS], idle_next;

void *table_map( int memfd )
{
    const size_t size = table_windows ? WS2_TABLE_SLOTS : WS2_TABLE_CLAIMS;
    void *table = mmap( NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memfd, 0 );

    if ( table == MAP_FAILED ) return NULL;
    if ( !table_windows ) whole = table;
    table_fd = memfd;
    return table;
}

void table_unmap( void *table )
{
    const int error = errno;

    munmap( table, table_windows ? WS2_TABLE_SLOTS : WS2_TABLE_CLAIMS );
    whole = NULL;
    table_fd = -1;
    errno = error;
}

struct ws2_counts *table_map_counts( uint32_t client, void *place )
{
    const off_t offset = (off_t)WS2_TABLE_COUNTS + client * (off_t)sizeof( struct ws2_counts );
    void *counts;

    if ( client >= WS2_CLIENT_COUNT ) return NULL;
    counts = mmap( place, sizeof( struct ws2_counts ), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_NORESERVE | ( place ? MAP_FIXED : 0 ), table_fd, offset );
    return counts == MAP_FAILED ? NULL : counts;
}

/* Mutex held. */
static int open_window( struct window *window )
{
    const off_t offset = (off_t)WS2_TABLE_SLOTS + ( window - table_window ) * (off_t)WINDOW_SIZE;
    void *slots;

    if ( atomic_load( &window->slots ) ) return 1;
    slots = mmap( NULL, WINDOW_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, table_fd, offset );
    if ( slots == MAP_FAILED ) return 0;
    atomic_store( &window->slots, slots );
    return 1;
}

/* Mutex held. It takes the place of the one that has been idle longest, which goes. */
static void leave_idle( struct window *window )
{
    uint32_t *place = &idle[idle_next++ % IDLE_WINDOWS];
    struct window *before = *place ? &table_window[*place - 1] : NULL;

    *place = window - table_window + 1;
    if ( !before || before == window || atomic_load( &before->pins ) || !atomic_load( &before->slots ) ) return;
    munmap( atomic_exchange( &before->slots, NULL ), WINDOW_SIZE );
}

/* One more or less, unless it is pinned by nobody else. */
static int change_pins( struct window *window, int change, uint32_t least )
{
    uint32_t pins = atomic_load( &window->pins );

    while ( pins >= least )
        if ( atomic_compare_exchange_weak( &window->pins, &pins, pins + change ) ) return 1;
    return 0;
}

struct ws2_slot *table_pin( uint32_t index )
{
    struct window *window;
    sigset_t before;
    int open;

    if ( index >= WS2_SLOT_COUNT ) return NULL;
    if ( whole ) return ws2_table_slot( whole, index );
    window = &table_window[index / WS2_BLOCK_SLOTS];
    if ( !change_pins( window, 1, 1 ) )
    {
        host_mutex_lock( &mutex, &before );
        if ( ( open = open_window( window ) ) ) atomic_fetch_add( &window->pins, 1 );
        host_mutex_unlock( &mutex, &before );
        if ( !open ) return NULL;
    }
    return table_slot( index );
}

void table_unpin( uint32_t index )
{
    struct window *window = &table_window[index / WS2_BLOCK_SLOTS];
    sigset_t before;

    if ( whole || change_pins( window, -1, 2 ) ) return;
    host_mutex_lock( &mutex, &before );
    if ( atomic_fetch_sub( &window->pins, 1 ) == 1 ) leave_idle( window );
    host_mutex_unlock( &mutex, &before );
}

struct ws2_slot *table_slot( uint32_t index )
{
    if ( whole ) return ws2_table_slot( whole, index );
    return atomic_load( &table_window[index / WS2_BLOCK_SLOTS].slots ) + index % WS2_BLOCK_SLOTS;
}
