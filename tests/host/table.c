/*
 * The table's layout and its words, leases, and what becomes of a slot between FREE, PRIVATE and SHARED: by its owner, by the
 * server, and by a process that inherits the socket (adoption, ghosts). What a client writes over it harms nobody else, the
 * server that takes it over included.
 */
#include "harness.h"

#define SELF 0x20
#define CHILD 0x24

START_TEST( layout )
{
    static char memory[WS2_TABLE_SLOTS] __attribute__( ( aligned( 8 ) ) );
    const uint64_t word = ws2_word( 0xfedcba98, 0x123456, WS2_SLOT_SHARED );
    const uint64_t events = ws2_events( 0x89abcdef, 0x201, 0x3ff, 0x21 );

    ck_assert_uint_eq( ws2_word_generation( word ), 0xfedcba98 );
    ck_assert_uint_eq( ws2_word_owner( word ), 0x123456 );
    ck_assert_uint_eq( ws2_word_state( word ), WS2_SLOT_SHARED );
    ck_assert_uint_eq( ws2_events_generation( events ), 0x89abcdef );
    ck_assert_uint_eq( ws2_events_seen( events ), 0x201 );
    ck_assert_uint_eq( ws2_events_recorded( events ), 0x3ff );
    ck_assert_uint_eq( ws2_events_mask( events ), 0x21 );
    ck_assert_uint_eq( sizeof( struct ws2_slot ), 128 );
    ck_assert_uint_eq( offsetof( struct ws2_slot, backlog ), 124 );
    /* every part on a page, none overlapping */
    ck_assert_uint_eq( WS2_TABLE_BLOCKS % 4096, 0 );
    ck_assert_uint_eq( WS2_TABLE_CLIENTS % 4096, 0 );
    ck_assert_uint_eq( WS2_TABLE_SLOTS % 4096, 0 );
    ck_assert_uint_eq( WS2_TABLE_COUNTS % 4096, 0 );
    ck_assert_uint_ge( WS2_TABLE_CLIENTS, WS2_TABLE_BLOCKS + WS2_BLOCK_COUNT * sizeof( uint32_t ) );
    ck_assert_uint_ge( WS2_TABLE_SLOTS, WS2_TABLE_CLIENTS + WS2_CLIENT_COUNT * sizeof( struct ws2_client_record ) );
    ck_assert_ptr_eq( ws2_table_slot( memory, 0 ), memory + WS2_TABLE_SLOTS );
    ck_assert_ptr_nonnull( ws2_table_slot( memory, WS2_SLOT_COUNT - 1 ) );
    ck_assert_ptr_null( ws2_table_slot( memory, WS2_SLOT_COUNT ) );
    ck_assert_ptr_null( ws2_table_slot( memory, WS2_NO_INDEX ) );
}
END_TEST

START_TEST( leases )
{
    enum
    {
        COUNT = 1000
    };
    static uint32_t slots[COUNT], generations[COUNT];
    static unsigned char seen[WS2_SLOT_COUNT];
    uint32_t slot, generation;

    harness_begin();
    ck_assert_int_eq( lease_take( &slot, &generation ), WSAENETDOWN );
    ck_assert_int_eq( connection_attach( SELF ), 0 );
    for ( int i = 0; i < COUNT; i++ )
    {
        const struct ws2_slot *record;

        ck_assert_int_eq( lease_take( &slots[i], &generations[i] ), 0 );
        ck_assert_uint_eq( seen[slots[i]]++, 0 );
        record = ws2_table_slot( connection_table(), slots[i] );
        ck_assert_uint_eq( record->word, ws2_word( generations[i], connection_client_index(), WS2_SLOT_PRIVATE ) );
        ck_assert_uint_eq( record->event_owner, WS2_NO_INDEX );
        ck_assert_uint_eq( record->port_owner, WS2_NO_INDEX );
    }
    ck_assert_uint_eq( harness_table().slots, COUNT );
    for ( int i = 0; i < COUNT; i++ )
    {
        ck_assert_int_eq( lease_give_back( slots[i], generations[i] ), 1 );
        /* a stale pair is recognised */
        ck_assert_int_eq( lease_give_back( slots[i], generations[i] ), 0 );
    }
    ck_assert_uint_eq( harness_table().slots, 0 );
    /* taken again, without the table growing; the slot given back last rests longest */
    const unsigned int leased = harness_table().leased;
    for ( int i = 0; i < 200; i++ )
    {
        ck_assert_int_eq( lease_take( &slot, &generation ), 0 );
        ck_assert_uint_ne( slot, slots[COUNT - 1] );
        ck_assert_int_eq( lease_give_back( slot, generation ), 1 );
    }
    /* but for one that was asked for ahead */
    ck_assert_uint_le( harness_table().leased, leased + 1 );
    harness_end();
}
END_TEST

/* Closing is one-way: once a later request is answered, it has been dealt with. */
static void settle( void )
{
    struct ws2_request request = { .type = WS2_BIND, .slot = WS2_NO_INDEX };
    struct ws2_reply reply;

    ck_assert_int_eq( connection_request( &request, -1, &reply, NULL ), WSAENOTSOCK );
}

/* Slots that the server freed come back to their lessee. */
START_TEST( shared_slots_return )
{
    harness_begin();
    ck_assert_int_eq( connection_attach( SELF ), 0 );
    for ( int i = 0; i < 2000; i++ )
    {
        uint32_t slot, generation, again, again_generation, ticket;
        int fd = socket_make( 4, &slot, &generation ), second, unknown;

        ck_assert_int_ge( fd, 0 );
        ck_assert_int_eq( ticket_issue( slot, generation, 4, fd, SELF, &ticket, &unknown ), 0 );
        ck_assert_int_eq( ticket_redeem( ticket, &again, &again_generation, &second ), 0 );
        ck_assert( again == slot && again_generation == generation );
        connection_name( slot, generation, 8 );
        /* what it opened itself it has told the server of, and no more */
        connection_settle_counts();
        ck_assert_uint_eq( ws2_table_slot( connection_table(), slot )->descriptors, 2 );
        socket_drop( fd, slot, generation, 4 );
        ck_assert_uint_eq( ws2_word_state( ws2_table_slot( connection_table(), slot )->word ), WS2_SLOT_SHARED );
        socket_drop( second, slot, generation, 8 );
        settle();
        ck_assert_uint_eq( ws2_table_slot( connection_table(), slot )->word,
                           ws2_word( generation + 1, 0, WS2_SLOT_FREE ) );
    }
    ck_assert_uint_eq( harness_table().slots, 0 );
    ck_assert_uint_le( harness_table().leased, 4 );
    harness_end();
}
END_TEST

struct inheritance
{
    int fd; /* what the child inherits */
    int go, ready;
    uint32_t slot, generation;
    int expect_new, expect_same;
};

static int heir( void *context )
{
    struct inheritance *order = context;
    uint32_t slot, generation;
    int new_slot;
    char byte;

    if ( read( order->go, &byte, 1 ) != 1 ) return 1;
    if ( connection_attach( CHILD ) ) return 2;
    if ( connection_adopt( order->fd, AF_INET, SOCK_STREAM, 6, 0x40, &slot, &generation, &new_slot ) ) return 3;
    if ( new_slot != order->expect_new ) return 4;
    if ( !new_slot )
    {
        const struct ws2_slot *record = ws2_table_slot( connection_table(), slot );

        if ( record->receive_timeout != 1234 || !( record->flags & WS2_FLAG_NONBLOCKING ) ) return 5;
        if ( record->event_owner != WS2_NO_INDEX && !order->expect_same ) return 6;
        if ( record->cookie != socket_cookie( order->fd ) ) return 7;
    }
    if ( ( slot == order->slot && generation == order->generation ) != order->expect_same ) return 8;
    if ( write( order->ready, "", 1 ) != 1 || read( order->go, &byte, 1 ) != 1 ) return 9;
    connection_close( slot, generation, 0x40 );
    return 0;
}

/* A child adopts a socket that its parent still has (0), has closed (1), or never made (2). */
START_TEST( adoption )
{
    struct inheritance *order =
        mmap( NULL, sizeof( *order ), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0 );
    int go[2], ready[2], fd;
    struct ws2_slot *slot;
    char byte;
    pid_t child;

    harness_begin();
    ck_assert( !pipe( go ) && !pipe( ready ) );
    fd = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
    *order = ( struct inheritance ){
        .fd = fd, .go = go[0], .ready = ready[1], .expect_new = _i == 2, .expect_same = _i == 0
    };
    child = process_start( heir, order );
    ck_assert_int_eq( connection_attach( SELF ), 0 );
    ck_assert_int_eq( lease_take( &order->slot, &order->generation ), 0 );
    slot = ws2_table_slot( connection_table(), order->slot );
    if ( _i != 2 )
    {
        slot->handle = 0x10;
        slot->receive_timeout = 1234;
        slot->flags = WS2_FLAG_NONBLOCKING;
        slot->event_owner = connection_client_index();
        slot->cookie = socket_cookie( fd );
    }
    if ( _i == 1 ) ck_assert_int_eq( lease_give_back( order->slot, order->generation ), 1 );
    ck_assert_int_eq( write( go[1], "", 1 ), 1 );
    ck_assert_int_eq( read( ready[0], &byte, 1 ), 1 );
    /* the owner's descriptor is counted with the child's */
    ck_assert_uint_eq( harness_table().shared, 1 );
    ck_assert_uint_eq( harness_table().descriptors, _i == 1 ? 1 : 2 );
    if ( _i == 0 )
    {
        ck_assert_int_eq( lease_give_back( order->slot, order->generation ), 0 );
        connection_close( order->slot, order->generation, 0x10 );
        ck_assert_uint_eq( harness_table().descriptors, 1 );
    }
    ck_assert_int_eq( write( go[1], "", 1 ), 1 );
    ck_assert_int_eq( process_wait( child ), 0 );
    eventually( harness_table().shared == 0 );
    harness_end();
}
END_TEST

static uint32_t listed_rows( void )
{
    struct ws2_request list = { .type = WS2_LIST };
    char message[sizeof( struct ws2_reply ) + WS2_LIST_ROWS * sizeof( struct ws2_row )];
    struct ws2_reply reply;
    int memfd, fd = raw_attach( 0, &reply, &memfd );

    ck_assert_int_eq( raw_send( fd, &list, sizeof( list ), NULL, 0 ), sizeof( list ) );
    ck_assert_int_ge( raw_receive( fd, message, sizeof( message ), NULL ), (ssize_t)sizeof( reply ) );
    memcpy( &reply, message, sizeof( reply ) );
    close( fd );
    close( memfd );
    return reply.count;
}

/* What stands for \\Device\\Afd is in the table and in no list of sockets, private or shared. */
START_TEST( helpers )
{
    uint32_t slot, generation;

    harness_begin();
    ck_assert_int_eq( connection_attach( SELF ), 0 );
    ck_assert_int_eq( lease_take( &slot, &generation ), 0 );
    ck_assert_uint_eq( listed_rows(), 1 );
    atomic_store( &ws2_table_slot( connection_table(), slot )->flags, WS2_FLAG_HELPER );
    ck_assert_uint_eq( listed_rows(), 0 );
    ck_assert_int_eq( lease_give_back( slot, generation ), 1 );
    harness_end();
}
END_TEST

/* Writes over the whole of what the table shows while using it. */
START_TEST( scribbled_table )
{
    unsigned int seed = getpid();
    struct ws2_request request = { .type = WS2_LEASE };
    struct ws2_reply reply;
    uint32_t *words, first;
    int before, keeper, fd, memfd, socket_fd;
    pid_t server;
    void *table;

    harness_begin();
    harness_start_server();
    keeper = raw_attach( 0, &reply, NULL );
    before = server_fds_at_rest();
    server = harness_server();
    for ( int round = 0; round < 30; round++ )
    {
        fd = raw_attach( SELF, &reply, &memfd );
        ck_assert_int_eq( raw_request( fd, &request, -1, &reply, NULL ), 0 );
        first = reply.slot;
        table = mmap( NULL, WS2_TABLE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memfd, 0 );
        ck_assert_ptr_ne( table, MAP_FAILED );
        ck_assert_int_lt( ftruncate( memfd, 0 ), 0 );
        words = (uint32_t *)ws2_table_slot( table, first );
        socket_fd = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 );
        for ( int i = 0; i < 200; i++ )
        {
            struct ws2_request next = { .slot = first + rand_r( &seed ) % WS2_BLOCK_SLOTS,
                                        .windows_pid = SELF,
                                        .handle = 4 };
            struct ws2_slot *slot = ws2_table_slot( table, next.slot );

            for ( int j = 0; j < 200; j++ ) words[rand_r( &seed ) % ( WS2_BLOCK_SLOTS * 32 )] = rand_r( &seed );
            /* the directories too, but for the header that names the table */
            for ( int j = 0; j < 50; j++ ) ws2_table_blocks( table )[rand_r( &seed ) % 64] = rand_r( &seed );
            for ( int j = 0; j < 50; j++ )
                ws2_table_clients( table )[rand_r( &seed ) % 64].windows_pid = rand_r( &seed );
            slot->cookie = socket_cookie( socket_fd );
            next.generation = ws2_word_generation( slot->word );
            next.type = rand_r( &seed ) % 2 ? WS2_ADOPT : WS2_DUPLICATE;
            ck_assert_int_ge( raw_request( fd, &next, socket_fd, &reply, NULL ), 0 );
            next.type = rand_r( &seed ) % 2 ? WS2_LIST : WS2_BIND;
            ck_assert_int_ge( raw_request( fd, &next, -1, &reply, NULL ), 0 );
        }
        close( socket_fd );
        raw_leave( fd );
        munmap( table, WS2_TABLE_SIZE );
        close( memfd );
        eventually( server_fds() == before );
    }
    ck_assert_int_eq( harness_server(), server );
    close( keeper );
    harness_end();
}
END_TEST

/* The directories and the first slots written over, and then the server killed: the next one takes that table over. */
START_TEST( scribbled_table_taken_over )
{
    const struct ws2_request lease = { .type = WS2_LEASE };
    unsigned int seed = getpid();
    struct ws2_reply reply;
    int fd, memfd;
    void *table;

    harness_begin();
    harness_start_server();
    fd = raw_attach( SELF, &reply, &memfd );
    table = mmap( NULL, WS2_TABLE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memfd, 0 );
    ck_assert_ptr_ne( table, MAP_FAILED );
    for ( int round = 0; round < 30; round++ )
    {
        uint32_t *words = (uint32_t *)ws2_table_slot( table, 0 ), *clients = (uint32_t *)ws2_table_clients( table );
        const pid_t server = harness_server();

        for ( int i = 0; i < 1000; i++ )
        {
            words[rand_r( &seed ) % ( WS2_BLOCK_SLOTS * 32 * 16 )] = rand_r( &seed );
            /* states that are ones, too */
            words[rand_r( &seed ) % ( WS2_BLOCK_SLOTS * 16 ) * 32] = rand_r( &seed ) % 4;
            clients[rand_r( &seed ) % ( WS2_CLIENT_COUNT * 8 )] =
                rand_r( &seed ) % 2 ? (uint32_t)rand_r( &seed ) : (uint32_t)getpid();
            ws2_table_blocks( table )[rand_r( &seed ) % WS2_BLOCK_COUNT] =
                rand_r( &seed ) % 2 ? (uint32_t)rand_r( &seed ) : rand_r( &seed ) % ( WS2_CLIENT_COUNT + 4 );
        }
        kill( server, SIGKILL );
        eventually( !harness_server_quiet() );
        harness_start_server();
        close( fd );
        fd = raw_attach( SELF, &reply, NULL );
        ck_assert_int_ge( raw_request( fd, &lease, -1, &reply, NULL ), 0 );
        ck_assert_int_gt( harness_server(), 0 );
    }
    munmap( table, WS2_TABLE_SIZE );
    close( memfd );
    close( fd );
    harness_end();
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "table" );
    TCase *test = tcase_create( "table" );

    tcase_set_timeout( test, 120 );
    tcase_add_test( test, layout );
    tcase_add_test( test, leases );
    tcase_add_test( test, shared_slots_return );
    tcase_add_loop_test( test, adoption, 0, 3 );
    tcase_add_test( test, helpers );
    tcase_add_test( test, scribbled_table );
    tcase_add_test( test, scribbled_table_taken_over );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
