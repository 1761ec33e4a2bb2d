/*
 * Sends and receives of the host half where no Windows program can arrange what is to happen: the host may not write to the
 * caller's memory, and what it has so far comes in pieces; the socket is closed in the middle of a call; a connection is
 * reset behind more buffers than the host takes at once. The real host half and the real server.
 */
#include <dlfcn.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "winsock.h"

#define PID 0x20
#define LISTENER 0x80
#define CLIENT 0x100
#define SERVER 0x104

#define MSG_WAITALL_OF_WINDOWS 0x8

/* What happens before the next receive of the host half into several buffers, and after one that finds nothing. */
static void ( *before_receive )( void ), ( *after_blocked )( void );

ssize_t recvmsg( int fd, struct msghdr *message, int flags )
{
    void ( *call )( void ) = before_receive;
    ssize_t n;

    before_receive = NULL;
    if ( call ) call();
    n = syscall( SYS_recvmsg, fd, message, flags );
    if ( n < 0 && errno == EAGAIN && ( call = after_blocked ) )
    {
        after_blocked = NULL;
        call();
        errno = EAGAIN;
    }
    return n;
}

/* What happens once the host has been asked how a stream that gave nothing stands. */
static void ( *after_poll )( void );

int poll( struct pollfd *fds, nfds_t count, int milliseconds )
{
    void ( *call )( void ) = after_poll;
    int n = syscall( SYS_poll, fds, count, milliseconds );

    if ( call && count == 1 && fds->revents & POLLHUP )
    {
        after_poll = NULL;
        call();
    }
    return n;
}

static void begin( void )
{
    struct sockaddr_in there;

    harness_begin();
    harness_start_server();
    ck_assert( winsock_attach( PID ) && winsock_listen( LISTENER, &there ) );
    winsock_connect( LISTENER, &there, CLIENT, SERVER );
}

static void end( void )
{
    winsock_close( CLIENT );
    winsock_close( SERVER );
    winsock_close( LISTENER );
    harness_end();
}

static void send_text( const char *text )
{
    struct ws2_transfer_params params = { .handle = CLIENT, .buffer = user( text ), .size = strlen( text ) };

    ck_assert( !unix_send( &params ) && !params.error && params.done == strlen( text ) );
}

/* Until the host has it for the other end. */
static void await_bytes( uint64_t handle, int count )
{
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( handle, &status );
    char bytes[256];

    eventually( recv( d->fd, bytes, sizeof( bytes ), MSG_PEEK | MSG_DONTWAIT ) == count );
    descriptor_release( d );
}

/* --- memory that the host may not write to ------------------------------------------------------------------------------*/

#define PAGE 4096
static char *memory; /* two pages */

static void forbid( void ) { ck_assert_int_eq( mprotect( memory, 2 * PAGE, PROT_READ ), 0 ); }
static void allow( void ) { ck_assert_int_eq( mprotect( memory, 2 * PAGE, PROT_READ | PROT_WRITE ), 0 ); }

static struct ws2_operation_transfer_params receive_into( const struct windows_buffer *buffers, uint32_t count )
{
    struct ws2_operation_transfer_params params = {
        .operation = { .handle = SERVER, .target = { .iosb = 1, .event = 4, .thread_id = 1 } },
        .buffers = user( buffers ),
        .count = count,
        .flags = MSG_WAITALL_OF_WINDOWS
    };

    memory = mmap( NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 );
    ck_assert_ptr_ne( memory, MAP_FAILED );
    return params;
}

static void close_server( void ) { ck_assert( winsock_close( SERVER ) ); }

/* The receive has a bounce buffer with a part of the data when it finds that it has to wait and that its socket is closed. */
START_TEST( closed_before_it_waits )
{
    struct windows_buffer buffers[3] = { { .size = 3 }, { .size = 4 }, { .size = 3 } };
    struct ws2_operation_transfer_params params;

    begin();
    params = receive_into( buffers, 3 );
    buffers[0].pointer = user( memory );
    buffers[1].pointer = user( memory + 100 );
    buffers[2].pointer = user( memory + 200 );
    send_text( "part" );
    await_bytes( SERVER, 4 );
    before_receive = forbid;
    after_blocked = close_server;
    ck_assert_int_eq( unix_operation_receive( &params ), 0 );
    ck_assert( !before_receive && !after_blocked );
    ck_assert_int_eq( params.operation.error, WSAENOTSOCK );
    ck_assert_int_eq( memory[0], 0 );
    allow();
    end();
}
END_TEST

/* One completion, as the PE half fetches it: what is to be copied is copied, and the operation is given back. */
static void fetch( struct ws2_completion *completion )
{
    static struct ws2_io_wait_params wait;
    static struct ws2_operation_fetch_params fetch;

    fetch.count = 0;
    while ( !fetch.count )
    {
        unix_io_wait( &wait );
        unix_operation_fetch( &fetch );
    }
    ck_assert_uint_eq( fetch.count, 1 );
    *completion = fetch.completions[0];
    winsock_copy( completion );
    winsock_told( completion );
}

/* Some of the data is in the caller's buffers, of which the host fills the first and a part of the second; then it may not
 * write there any more. */
START_TEST( forbidden_between_two_parts )
{
    struct windows_buffer buffers[4] = { { .size = 3 }, { .size = 4 }, { .size = 0 }, { .size = 5 } };
    struct ws2_operation_transfer_params params;
    struct ws2_completion completion;

    begin();
    params = receive_into( buffers, 4 );
    buffers[0].pointer = user( memory );
    buffers[1].pointer = user( memory + 100 );
    buffers[2].pointer = user( memory + 200 );
    buffers[3].pointer = user( memory + PAGE - 2 );
    send_text( "abcde" );
    await_bytes( SERVER, 5 );
    ck_assert_int_eq( unix_operation_receive( &params ), 0 );
    ck_assert_int_eq( params.operation.error, WSA_IO_PENDING );
    forbid();
    send_text( "fghi" );
    await_bytes( SERVER, 4 );
    ck_assert_mem_eq( memory + 100, "de\0\0", 4 );
    {
        /* who looks whether the socket is ready serves what is queued; the rest has not come yet */
        struct ws2_handle_params look = { .handle = SERVER };
        NTSTATUS status;
        struct descriptor *d = descriptor_acquire( look.handle, &status );

        operation_serve( d );
        descriptor_release( d );
    }
    ck_assert_mem_eq( memory + 100, "de\0\0", 4 );
    send_text( "jkl" );
    await_bytes( SERVER, 3 );
    allow();
    fetch( &completion );
    ck_assert_int_eq( completion.error, 0 );
    ck_assert_uint_eq( completion.information, 12 );
    ck_assert_uint_eq( completion.bounced, 1 );
    ck_assert_mem_eq( memory, "abc\0", 4 );
    ck_assert_mem_eq( memory + 100, "defg\0", 5 );
    ck_assert_mem_eq( memory + PAGE - 2, "hijkl\0", 6 );
    end();
}
END_TEST

/* --- more buffers than the host takes at once ---------------------------------------------------------------------------*/

#define MANY ( 2 * IOV_MAX )

/* What came is told first, the reset behind it with the next receive: by each of the calls. */
START_TEST( reset_behind_many_buffers )
{
    static struct windows_buffer buffers[MANY];
    static char bytes[MANY], sent[IOV_MAX];
    const struct linger hard = { 1, 0 };
    struct ws2_operation_transfer_params overlapped = {
        .operation = { .handle = SERVER, .target = { .iosb = 1, .event = 4, .thread_id = 1 } },
        .buffers = user( buffers ),
        .count = MANY
    };
    struct ws2_message_params message = { .handle = SERVER, .buffers = user( buffers ), .count = MANY };
    struct ws2_transfer_params params = { .handle = CLIENT, .buffer = user( sent ), .size = sizeof( sent ) };
    struct ws2_transfer_params next = { .handle = SERVER, .buffer = user( bytes ), .size = 1 };
    NTSTATUS status;
    struct descriptor *d;

    begin();
    for ( unsigned int i = 0; i < MANY; i++ )
        buffers[i] = ( struct windows_buffer ){ .size = 1, .pointer = user( &bytes[i] ) };
    memset( sent, 'x', sizeof( sent ) );
    ck_assert( !unix_send( &params ) && params.done == sizeof( sent ) );
    ck_assert_ptr_nonnull( d = descriptor_acquire( CLIENT, &status ) );
    setsockopt( d->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof( hard ) );
    descriptor_release( d );
    ck_assert( winsock_close( CLIENT ) );
    ck_assert_ptr_nonnull( d = descriptor_acquire( SERVER, &status ) );
    eventually( poll( &( struct pollfd ){ .fd = d->fd }, 1, 0 ) == 1 );
    descriptor_release( d );
    if ( _i )
    {
        ck_assert_int_eq( unix_operation_receive( &overlapped ), 0 );
        ck_assert_int_eq( overlapped.operation.error, 0 );
        ck_assert_uint_eq( overlapped.operation.information, sizeof( sent ) );
    }
    else
    {
        ck_assert_int_eq( unix_recvmsg( &message ), 0 );
        ck_assert_int_eq( message.error, 0 );
        ck_assert_uint_eq( message.done, sizeof( sent ) );
    }
    ck_assert_mem_eq( bytes, sent, sizeof( sent ) );
    ck_assert( !unix_recv( &next ) );
    ck_assert_int_eq( next.error, WSAECONNRESET );
    end();
}
END_TEST

/* --- two threads and one reset ------------------------------------------------------------------------------------------*/

static void say_reset( void )
{
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( SERVER, &status );

    descriptor_set_flags( d, WS2_FLAG_RESET );
    descriptor_release( d );
}

/* The host has told another thread's receive of the reset, which has yet to say so. */
START_TEST( reset_told_to_another )
{
    const struct linger hard = { 1, 0 };
    struct ws2_transfer_params params = { .handle = SERVER, .buffer = user( ( char[1] ){ 0 } ), .size = 1 };
    NTSTATUS status;
    struct descriptor *d;
    int error = 0;

    begin();
    ck_assert_ptr_nonnull( d = descriptor_acquire( CLIENT, &status ) );
    setsockopt( d->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof( hard ) );
    descriptor_release( d );
    ck_assert( winsock_close( CLIENT ) );
    ck_assert_ptr_nonnull( d = descriptor_acquire( SERVER, &status ) );
    eventually( getsockopt( d->fd, SOL_SOCKET, SO_ERROR, &error, &( socklen_t ){ sizeof( error ) } ) || error );
    ck_assert_int_eq( error, ECONNRESET );
    descriptor_release( d );
    after_poll = say_reset;
    ck_assert( !unix_recv( &params ) );
    ck_assert( !after_poll );
    ck_assert_int_eq( params.error, WSAECONNRESET );
    end();
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "transfers" );
    TCase *test = tcase_create( "transfers" );

    tcase_set_timeout( test, 60 );
    tcase_add_test( test, closed_before_it_waits );
    tcase_add_test( test, forbidden_between_two_parts );
    tcase_add_loop_test( test, reset_behind_many_buffers, 0, 2 );
    tcase_add_test( test, reset_told_to_another );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}
