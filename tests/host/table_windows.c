/*
 * The table by windows, as 32-bit programs map it: a pinned block stays where it is, under threads too; what is mapped is the
 * directories, what is pinned, and little more; and no room for a window is no crash.
 */
#include <pthread.h>
#include <sys/resource.h>
#include "harness.h"
#include "client/table_map.h"

#define SELF 0x20
#define BLOCK_SIZE ( WS2_BLOCK_SLOTS * sizeof( struct ws2_slot ) )
#define IDLE_MOST 64u /* windows that nobody pins */

/* Bytes of the table that this process maps. */
static size_t mapped( void )
{
    char line[512];
    FILE *maps = fopen( "/proc/self/maps", "r" );
    size_t total = 0;

    ck_assert_ptr_nonnull( maps );
    while ( fgets( line, sizeof( line ), maps ) )
    {
        unsigned long begin, end;

        if ( strstr( line, "memfd:" ) && sscanf( line, "%lx-%lx", &begin, &end ) == 2 ) total += end - begin;
    }
    fclose( maps );
    return total;
}

static void *whole_table( void )
{
    struct ws2_reply reply;
    int memfd, fd = raw_attach( 0, &reply, &memfd );
    void *table = mmap( NULL, WS2_TABLE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memfd, 0 );

    ck_assert_ptr_ne( table, MAP_FAILED );
    close( memfd );
    raw_leave( fd );
    return table;
}

static void begin( void )
{
    harness_begin();
    table_windows = 1;
    ck_assert_int_eq( connection_attach( SELF ), 0 );
}

START_TEST( bounded )
{
    enum
    {
        SLOTS = 5000,
        BLOCKS = SLOTS / WS2_BLOCK_SLOTS + 2,
        HELD = 3000
    };
    static uint32_t slots[SLOTS], generations[SLOTS];
    /* with the next block of leases, which comes when it comes */
    const size_t most = WS2_TABLE_SLOTS + BLOCKS * BLOCK_SIZE;
    void *table;
    size_t least;

    begin();
    ck_assert_uint_eq( mapped(), WS2_TABLE_SLOTS );
    for ( unsigned int i = 0; i < SLOTS; i++ )
    {
        ck_assert_int_eq( lease_take( &slots[i], &generations[i] ), 0 );
        ck_assert_ptr_eq( table_pin( slots[i] ), table_slot( slots[i] ) );
        atomic_store( &table_slot( slots[i] )->handle, 4 * i );
    }
    least = mapped();
    ck_assert_uint_ge( least, WS2_TABLE_SLOTS + SLOTS / WS2_BLOCK_SLOTS * BLOCK_SIZE );
    ck_assert_uint_le( least, most );
    /* the same as anybody sees */
    table = whole_table();
    for ( unsigned int i = 0; i < SLOTS; i++ )
    {
        const struct ws2_slot *slot = ws2_table_slot( table, slots[i] );

        ck_assert_uint_eq( slot->handle, 4 * i );
        ck_assert_uint_eq( slot->word, ws2_word( generations[i], connection_client_index(), WS2_SLOT_PRIVATE ) );
    }
    munmap( table, WS2_TABLE_SIZE );
    /* all blocks of the prefix looked at, one after the other */
    for ( uint32_t block = 0; block < WS2_BLOCK_COUNT; block++ )
    {
        ck_assert_ptr_nonnull( table_pin( block * WS2_BLOCK_SLOTS ) );
        table_unpin( block * WS2_BLOCK_SLOTS );
    }
    ck_assert_uint_le( mapped(), most + IDLE_MOST * BLOCK_SIZE );
    /* many at once, twice each */
    for ( uint32_t i = 0; i < 2 * HELD; i++ )
        ck_assert_ptr_nonnull( table_pin( WS2_SLOT_COUNT - 1 - i % HELD * WS2_BLOCK_SLOTS ) );
    ck_assert_uint_ge( mapped(), least + HELD * BLOCK_SIZE );
    for ( uint32_t i = 0; i < HELD; i++ ) table_unpin( WS2_SLOT_COUNT - 1 - i * WS2_BLOCK_SLOTS );
    ck_assert_uint_ge( mapped(), least + HELD * BLOCK_SIZE );
    for ( uint32_t i = 0; i < HELD; i++ ) table_unpin( WS2_SLOT_COUNT - 1 - i * WS2_BLOCK_SLOTS );
    ck_assert_uint_le( mapped(), most + IDLE_MOST * BLOCK_SIZE );
    ck_assert_ptr_null( table_pin( WS2_SLOT_COUNT ) );
    ck_assert_ptr_null( table_pin( WS2_NO_INDEX ) );
    for ( unsigned int i = 0; i < SLOTS; i++ )
    {
        table_unpin( slots[i] );
        ck_assert_int_eq( lease_give_back( slots[i], generations[i] ), 1 );
    }
    harness_end();
}
END_TEST

#define THREADS 8
#define SHOWN 300u /* blocks, more than may be idle */
#define FIRST ( WS2_SLOT_COUNT - SHOWN * WS2_BLOCK_SLOTS )

static void *count_in_blocks( void *turns )
{
    unsigned int seed = (unsigned int)pthread_self() >> 6;

    for ( int i = 0; i < *(int *)turns; i++ )
    {
        const uint32_t index = FIRST + ( rand_r( &seed ) >> 3 ) % SHOWN * WS2_BLOCK_SLOTS;
        struct ws2_slot *slot = table_pin( index );

        if ( !slot ) return NULL;
        atomic_fetch_add( &slot->backlog, 1 );
        if ( seed % 8 == 0 ) sched_yield();
        if ( table_slot( index ) != slot ) return NULL; /* it moved */
        atomic_fetch_add( &slot->backlog, 1 );
        table_unpin( index );
    }
    return turns;
}

START_TEST( threads )
{
    int turns = harness_part( 50000 );
    pthread_t ids[THREADS];
    unsigned int count = 0;
    void *table, *result;

    begin();
    for ( int i = 0; i < THREADS; i++ ) ck_assert_int_eq( pthread_create( &ids[i], NULL, count_in_blocks, &turns ), 0 );
    for ( int i = 0; i < THREADS; i++ )
    {
        pthread_join( ids[i], &result );
        ck_assert_ptr_eq( result, &turns );
    }
    ck_assert_uint_le( mapped(), WS2_TABLE_SLOTS + IDLE_MOST * BLOCK_SIZE );
    table = whole_table();
    for ( uint32_t i = 0; i < SHOWN; i++ ) count += ws2_table_slot( table, FIRST + i * WS2_BLOCK_SLOTS )->backlog;
    ck_assert_uint_eq( count, 2u * THREADS * turns );
    harness_end();
}
END_TEST

START_TEST( no_room )
{
    struct rlimit limit, none;
    uint32_t slot, generation;
    struct ws2_slot *record;
    int32_t error;

    begin();
    ck_assert_int_eq( lease_take( &slot, &generation ), 0 );
    getrlimit( RLIMIT_AS, &limit );
    none = limit;
    none.rlim_cur = 0;
    ck_assert_int_eq( setrlimit( RLIMIT_AS, &none ), 0 );
    record = table_pin( WS2_SLOT_COUNT - 1 );
    error = table_pin( slot ) == table_slot( slot ) ? 0 : -1;
    setrlimit( RLIMIT_AS, &limit );
    ck_assert_ptr_null( record );
    ck_assert_int_eq( error, 0 ); /* what is mapped stays in use */
    ck_assert_ptr_nonnull( table_pin( WS2_SLOT_COUNT - 1 ) );
    harness_end();
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "table_windows" );
    TCase *test = tcase_create( "table_windows" );

    tcase_set_timeout( test, 120 );
    tcase_add_test( test, bounded );
    tcase_add_test( test, threads );
    tcase_add_test( test, no_room );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
