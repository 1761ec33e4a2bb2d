/*
 * Windows' bind rules over the prefix (WS2_BIND): the matrix of SO_EXCLUSIVEADDRUSE, the rules without it, across processes.
 * Addresses are those of the slots alone: nothing is bound on the host.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include "harness.h"

#define PORT 4242
#define X WS2_FLAG_EXCLUSIVE
#define R WS2_FLAG_REUSEADDR

static const struct
{
    const char *first;
    uint32_t first_flags;
    const char *second;
    uint32_t second_flags;
    int32_t result;
} matrix[] = {
    { "0.0.0.0", X, "127.0.0.1", 0, WSAEACCES },
    { "0.0.0.0", X, "127.0.0.1", X, WSAEACCES },
    { "::", X, "127.0.0.1", 0, WSAEACCES },
    { "::", X, "0.0.0.0", 0, WSAEACCES },
    { "0.0.0.0", 0, "127.0.0.1", X, 0 },
    { "::", 0, "0.0.0.0", X, 0 },
    { "::", 0, "0.0.0.0", 0, 0 },
    { "127.0.0.1", X, "0.0.0.0", 0, 0 },
    { "127.0.0.1", 0, "0.0.0.0", X, WSAEADDRINUSE },
    { "127.0.0.1", 0, "::", X, WSAEADDRINUSE },
    { "::ffff:127.0.0.1", 0, "0.0.0.0", X, WSAEADDRINUSE },
    { "::1", 0, "0.0.0.0", X, 0 },
    { "::1", X, "127.0.0.1", X, 0 },
    { "0.0.0.0", 0, "0.0.0.0", 0, WSAEADDRINUSE },
    { "0.0.0.0", 0, "0.0.0.0", X, WSAEADDRINUSE },
    { "127.0.0.1", X, "127.0.0.1", 0, WSAEADDRINUSE },
    { "127.0.0.1", 0, "127.0.0.1", X, WSAEADDRINUSE },
    { "::ffff:0.0.0.0", 0, "0.0.0.0", 0, WSAEADDRINUSE },
    { "::ffff:127.0.0.1", 0, "127.0.0.1", 0, WSAEADDRINUSE },
    { "127.0.0.1", 0, "::ffff:127.0.0.1", 0, WSAEADDRINUSE },
    /* without SO_EXCLUSIVEADDRUSE */
    { "127.0.0.1", 0, "127.0.0.1", R, WSAEACCES },
    { "127.0.0.1", R, "127.0.0.1", 0, WSAEADDRINUSE },
    { "127.0.0.1", R, "127.0.0.1", R, 0 },
    { "0.0.0.0", 0, "127.0.0.1", 0, 0 },
    { "127.0.0.1", 0, "0.0.0.0", 0, 0 },
    /* other addresses do not meet */
    { "127.0.0.1", X, "127.0.0.2", X, 0 },
    { "::1", X, "::2", X, 0 },
};

static void endpoint_set( uint32_t index, const char *address, uint32_t flags )
{
    struct ws2_slot *slot = ws2_table_slot( connection_table(), index );

    slot->family = strchr( address, ':' ) ? 23 : 2;
    slot->type = SOCK_STREAM;
    slot->protocol = 6;
    ck_assert_int_eq( inet_pton( slot->family == 23 ? AF_INET6 : AF_INET, address, slot->local_address ), 1 );
    slot->flags = flags | WS2_FLAG_ENDPOINT;
    slot->local_port = PORT;
}

static int32_t ask_all( uint32_t slot, uint32_t generation, struct ws2_reply *reply )
{
    struct ws2_request request = { .type = WS2_BIND, .slot = slot, .generation = generation };

    return connection_request( &request, -1, reply, NULL );
}

static int32_t ask( uint32_t slot, uint32_t generation )
{
    struct ws2_reply reply;

    return ask_all( slot, generation, &reply );
}

static int asker( void *context )
{
    const int i = *(int *)context;
    uint32_t slot, generation;

    if ( connection_attach( 0x24 ) || lease_take( &slot, &generation ) ) return 1;
    endpoint_set( slot, matrix[i].second, matrix[i].second_flags );
    return ask( slot, generation ) == matrix[i].result ? 0 : 2;
}

static void check_row( int i )
{
    uint32_t first, second, first_generation, second_generation;

    ck_assert_int_eq( lease_take( &first, &first_generation ), 0 );
    endpoint_set( first, matrix[i].first, matrix[i].first_flags );
    ck_assert_int_eq( ask( first, first_generation ), 0 );
    ck_assert_int_eq( lease_take( &second, &second_generation ), 0 );
    endpoint_set( second, matrix[i].second, matrix[i].second_flags );
    ck_assert_msg( ask( second, second_generation ) == matrix[i].result, "%s %x, %s %x", matrix[i].first,
                   matrix[i].first_flags, matrix[i].second, matrix[i].second_flags );
    /* another port, another protocol, a connection with that address, and a closed owner are no obstacle */
    ws2_table_slot( connection_table(), second )->local_port = PORT + 1;
    ck_assert_int_eq( ask( second, second_generation ), 0 );
    ws2_table_slot( connection_table(), second )->local_port = PORT;
    ws2_table_slot( connection_table(), second )->protocol = 17;
    ck_assert_int_eq( ask( second, second_generation ), 0 );
    ws2_table_slot( connection_table(), second )->protocol = 6;
    ws2_table_slot( connection_table(), first )->flags &= ~(uint32_t)WS2_FLAG_ENDPOINT;
    ck_assert_int_eq( ask( second, second_generation ), 0 );
    ws2_table_slot( connection_table(), first )->flags |= WS2_FLAG_ENDPOINT;
    ck_assert_int_eq( lease_give_back( first, first_generation ), 1 );
    ck_assert_int_eq( ask( second, second_generation ), 0 );
    ck_assert_int_eq( lease_give_back( second, second_generation ), 1 );
    /* a slot that is not one's own may not be asked about */
    ck_assert_int_eq( ask( second, second_generation ), WSAENOTSOCK );
}

START_TEST( whole_matrix )
{
    harness_begin();
    ck_assert_int_eq( connection_attach( 0x20 ), 0 );
    for ( unsigned int i = 0; i < sizeof( matrix ) / sizeof( matrix[0] ); i++ ) check_row( i );
    harness_end();
}
END_TEST

/* The second socket is another process's. */
START_TEST( across_processes )
{
    static int go[2];
    int i = _i;
    uint32_t slot, generation;
    pid_t child;

    harness_begin();
    ck_assert( !pipe( go ) );
    fflush( NULL );
    if ( !( child = fork() ) )
    {
        char byte;
        _exit( read( go[0], &byte, 1 ) == 1 ? asker( &i ) : 3 );
    }
    ck_assert_int_eq( connection_attach( 0x20 ), 0 );
    ck_assert_int_eq( lease_take( &slot, &generation ), 0 );
    endpoint_set( slot, matrix[i].first, matrix[i].first_flags );
    /* asked for, or got from the host and told */
    if ( i % 2 ) connection_bound( slot, generation );
    else ck_assert_int_eq( ask( slot, generation ), 0 );
    ck_assert_int_eq( write( go[1], "", 1 ), 1 );
    ck_assert_int_eq( process_wait( child ), 0 );
    harness_end();
}
END_TEST

struct asker
{
    uint32_t slot, generation;
};

static struct asker asker_make( void )
{
    struct asker asker;

    ck_assert_int_eq( lease_take( &asker.slot, &asker.generation ), 0 );
    endpoint_set( asker.slot, "127.0.0.1", 0 );
    return asker;
}

/* How many the server says have left, when it allows it. */
static uint32_t left_before( const struct asker *asker )
{
    struct ws2_reply reply;

    ck_assert_int_eq( ask_all( asker->slot, asker->generation, &reply ), 0 );
    return reply.index;
}

/* The host has refused what the server has allowed. */
static void give_up( const struct asker *asker )
{
    struct ws2_slot *slot = ws2_table_slot( connection_table(), asker->slot );

    slot->flags &= ~(uint32_t)WS2_FLAG_ENDPOINT;
    slot->local_port = 0;
    connection_bound( asker->slot, asker->generation );
}

/* A socket that has had the port has left it, once; one that never had it, or was accepted there, has not. */
START_TEST( who_has_left )
{
    struct asker askers[4];
    struct ws2_reply reply;
    pid_t server;

    harness_begin();
    ck_assert_int_eq( connection_attach( 0x20 ), 0 );
    for ( int i = 0; i < 4; i++ )
    {
        askers[i] = asker_make();
        ck_assert_uint_eq( left_before( &askers[i] ), 0 );
        give_up( &askers[i] );
    }
    endpoint_set( askers[0].slot, "127.0.0.1", 0 );
    ck_assert_uint_eq( left_before( &askers[0] ), 0 );
    /* who refuses is named */
    endpoint_set( askers[1].slot, "127.0.0.1", 0 );
    ck_assert_int_eq( ask_all( askers[1].slot, askers[1].generation, &reply ), WSAEADDRINUSE );
    ck_assert( reply.slot == askers[0].slot && reply.generation == askers[0].generation && !reply.handle );
    ck_assert_int_eq( lease_give_back( askers[0].slot, askers[0].generation ), 1 );
    ck_assert_uint_eq( left_before( &askers[1] ), 1 );
    give_up( &askers[1] );
    endpoint_set( askers[2].slot, "127.0.0.1", 0 );
    ck_assert_uint_eq( left_before( &askers[2] ), 0 );
    /* what the next server finds in the table: one that is closed, one that is no endpoint of the program's */
    ck_assert_int_eq( lease_give_back( askers[2].slot, askers[2].generation ), 1 );
    endpoint_set( askers[3].slot, "127.0.0.1", 0 );
    ws2_table_slot( connection_table(), askers[3].slot )->flags = 0;
    server = harness_server();
    ck_assert_int_gt( server, 1 );
    kill( server, SIGKILL );
    endpoint_set( askers[1].slot, "127.0.0.1", 0 );
    eventually( harness_server() != server );
    ck_assert_uint_eq( left_before( &askers[1] ), 0 );
    harness_end();
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "bind" );
    TCase *test = tcase_create( "bind" );

    tcase_set_timeout( test, 60 );
    tcase_add_test( test, whole_matrix );
    tcase_add_test( test, who_has_left );
    tcase_add_loop_test( test, across_processes, 0, sizeof( matrix ) / sizeof( matrix[0] ) );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
