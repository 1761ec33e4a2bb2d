/*
 * The records of network events where threads overtake each other: one that records what a poll showed, after a receive has
 * taken it. The real host half and the real server.
 */
#include "events/event_record.h"
#include "winsock.h"

#define PID 0x20
#define LISTENER 0x80
#define CLIENT 0x100
#define SERVER 0x104

static uint32_t select_events( uint32_t mask )
{
    struct ws2_event_select_params params = { .handle = SERVER, .target = 0x1000, .mask = mask };

    ck_assert_int_eq( unix_event_select( &params ), 0 );
    ck_assert_int_eq( params.error, 0 );
    return params.due;
}

static uint32_t enum_events( void )
{
    struct ws2_event_enum_params params = { .handle = SERVER };

    ck_assert_int_eq( unix_event_enum( &params ), 0 );
    ck_assert_int_eq( params.error, 0 );
    return params.events;
}

static void send_byte( struct descriptor *d )
{
    struct ws2_transfer_params params = { .handle = CLIENT, .buffer = user( "x" ), .size = 1 };
    char byte;

    ck_assert( !unix_send( &params ) && params.done == 1 );
    eventually( recv( d->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT ) == 1 );
}

static void receive_byte( void )
{
    char byte;
    struct ws2_transfer_params params = { .handle = SERVER, .buffer = user( &byte ), .size = 1 };

    ck_assert( !unix_recv( &params ) && !params.error && params.done == 1 );
}

/* What it says of a byte that is gone is not fetched, and the next byte is told of, whoever registers when. */
START_TEST( recorded_after_the_receive )
{
    struct sockaddr_in there;
    struct descriptor *d;
    NTSTATUS status;

    harness_begin();
    harness_start_server();
    ck_assert( winsock_attach( PID ) && winsock_listen( LISTENER, &there ) );
    winsock_connect( LISTENER, &there, CLIENT, SERVER );
    ck_assert_ptr_nonnull( d = descriptor_acquire( SERVER, &status ) );
    ck_assert_uint_eq( select_events( WS2_FD_READ ), 0 );
    send_byte( d );
    receive_byte();
    ck_assert_uint_eq( event_record( d, WS2_FD_READ, WS2_FD_READ, 0 ), WS2_FD_READ );
    ck_assert_uint_eq( enum_events(), 0 );
    ck_assert_uint_eq( select_events( 0 ), 0 );
    send_byte( d );
    ck_assert_uint_eq( select_events( WS2_FD_READ ), WS2_FD_READ );
    ck_assert_uint_eq( enum_events(), WS2_FD_READ );
    /* once, until a receive */
    ck_assert_uint_eq( enum_events(), 0 );
    ck_assert_uint_eq( select_events( WS2_FD_READ ), 0 );
    receive_byte();
    send_byte( d );
    ck_assert_uint_eq( enum_events(), WS2_FD_READ );
    descriptor_release( d );
    winsock_close( CLIENT );
    winsock_close( SERVER );
    winsock_close( LISTENER );
    harness_end();
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "event_records" );
    TCase *test = tcase_create( "event_records" );

    tcase_set_timeout( test, 60 );
    tcase_add_test( test, recorded_after_the_receive );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
