/*
 * The table as a client reads it: calls of the host half, the real sources, while the input writes anything anywhere into
 * the mapping and makes the server's replies name any slot. Nothing may crash, no value of the table may become an index or
 * a size unchecked, and every buffer given is of its exact size.
 *
 * The server is a thread that speaks the protocol and keeps a table of its own; a second thread is the process's I/O thread,
 * as the PE half would be. Without other networks than loopback (a network namespace of its own) where that can be had.
 *
 * An input is records of 24 bytes: struct record.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <unistd.h>
#include "client/connection.h"
#include "operations/operation.h"
#include "attempts/transfer.h"
#include "ws2host/interface.h"

#define HANDLES 12
#define BLOCKS 16u /* that the server leases in all */
#define RECORDS 48

int LLVMFuzzerTestOneInput( const uint8_t *data, size_t size );

struct record
{
    uint8_t action, who, other, small;
    uint32_t a, b;
    uint8_t bytes[12];
};

enum action
{
    WRITE_SLOT,
    WRITE_TABLE,
    FORGE,
    CREATE,
    CLOSE,
    BIND,
    LISTEN,
    CONNECT,
    ACCEPT,
    SEND,
    RECEIVE,
    SEND_MESSAGE,
    RECEIVE_MESSAGE,
    GET_OPTION,
    SET_OPTION,
    IOCTL,
    SELECT,
    POLL,
    REGISTER_EVENTS,
    NAMES,
    OVERLAPPED_RECEIVE,
    OVERLAPPED_SEND,
    OVERLAPPED_ACCEPT,
    OVERLAPPED_CONNECT,
    OVERLAPPED_OTHER,
    CANCEL,
    PORT,
    NOTIFY,
    AFD_POLL,
    SHARE,
    ADOPT,
    SHUTDOWN,
    ACTIONS
};

static void *table;                        /* the server's mapping, through which the hostile process writes too */
static _Atomic uint32_t leased, forged[4]; /* of a reply: count of how many to forge, slot, generation, detail */
static int listener_fd, isolated;

/* --- the server -------------------------------------------------------------------------------------------------------*/

static void answer( int fd, int memfd )
{
    int notice = -1;

    for ( ;; )
    {
        char control[CMSG_SPACE( sizeof( int ) )];
        struct ws2_request request;
        struct iovec in = { &request, sizeof( request ) };
        struct msghdr header = {
            .msg_iov = &in, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof( control )
        };
        struct ws2_reply reply = { .index = 1, .instance = 1 };
        struct iovec out = { &reply, sizeof( reply ) };
        int received = -1, given = -1;
        struct cmsghdr *cmsg;
        ssize_t size;

        while ( ( size = recvmsg( fd, &header, MSG_CMSG_CLOEXEC ) ) < 0 && errno == EINTR )
            continue;                             /* libFuzzer's timer */
        if ( size != sizeof( request ) ) abort(); /* nothing makes the client hang up */
        if ( ( cmsg = CMSG_FIRSTHDR( &header ) ) ) memcpy( &received, CMSG_DATA( cmsg ), sizeof( int ) );
        switch ( request.type )
        {
        case WS2_HELLO: given = dup( memfd ); break;
        case WS2_LEASE:
            reply.slot = atomic_fetch_add( &leased, 1 ) * WS2_BLOCK_SLOTS;
            if ( reply.slot >= BLOCKS * WS2_BLOCK_SLOTS ) reply.error = WSAEMFILE;
            break;
        case WS2_NOTICE: notice = received; break;
        case WS2_DUPLICATE: reply.ticket = 1 + request.slot; break;
        case WS2_REDEEM:
            reply.slot = request.ticket - 1;
            given = socket( AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0 );
            break;
        case WS2_ADOPT: reply.slot = BLOCKS * WS2_BLOCK_SLOTS; break;
        }
        if ( atomic_load( &forged[0] ) && request.type != WS2_HELLO )
        {
            atomic_fetch_sub( &forged[0], 1 );
            reply.slot = atomic_load( &forged[1] );
            reply.generation = reply.count = atomic_load( &forged[2] );
            reply.detail = atomic_load( &forged[3] ) & 3;
            reply.error = atomic_load( &forged[3] ) & 4 ? WSAEINVAL : 0;
        }
        if ( received >= 0 && received != notice ) close( received );
        if ( request.type == WS2_NAME || request.type == WS2_CLOSE || request.type == WS2_BOUND ||
             request.type == WS2_LEAVE )
            continue;
        header = ( struct msghdr ){ .msg_iov = &out, .msg_iovlen = 1 };
        if ( given >= 0 )
        {
            header.msg_control = control;
            header.msg_controllen = sizeof( control );
            cmsg = CMSG_FIRSTHDR( &header );
            cmsg->cmsg_level = SOL_SOCKET;
            cmsg->cmsg_type = SCM_RIGHTS;
            cmsg->cmsg_len = CMSG_LEN( sizeof( int ) );
            memcpy( CMSG_DATA( cmsg ), &given, sizeof( int ) );
        }
        sendmsg( fd, &header, MSG_NOSIGNAL );
        if ( given >= 0 ) close( given );
        /* each ticket ends at once */
        if ( request.type == WS2_DUPLICATE && notice >= 0 )
            send( notice, &reply.ticket, sizeof( reply.ticket ), MSG_NOSIGNAL );
    }
}

static void reset_header( void )
{
    struct ws2_table_header *header = ws2_table_header( table );

    memset( table, 0, WS2_TABLE_CLIENTS + 64 * sizeof( struct ws2_client_record ) );
    header->magic = WS2_TABLE_MAGIC;
    header->layout_version = WS2_LAYOUT_VERSION;
    header->slot_count = WS2_SLOT_COUNT;
    header->instance = 1;
}

static void *serve( void *listener )
{
    const int memfd = memfd_create( "table", MFD_CLOEXEC | MFD_ALLOW_SEALING );

    if ( memfd < 0 || ftruncate( memfd, WS2_TABLE_SIZE ) || fcntl( memfd, F_ADD_SEALS, F_SEAL_SHRINK ) ) abort();
    table = mmap( NULL, WS2_TABLE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memfd, 0 );
    if ( table == MAP_FAILED ) abort();
    reset_header();
    answer( accept4( (int)(intptr_t)listener, NULL, NULL, SOCK_CLOEXEC ), memfd );
    return NULL;
}

/* --- the I/O thread, and what the PE half does there ------------------------------------------------------------------*/

static void tell( const struct ws2_completion *completion )
{
    for ( uint32_t i = 0; i < completion->write_count; i++ )
        memcpy( (void *)(uintptr_t)completion->writes[i].target, (void *)(uintptr_t)completion->writes[i].source,
                completion->writes[i].size );
    atomic_fetch_sub( (_Atomic uint32_t *)(uintptr_t)completion->undelivered, 1 );
    atomic_store( (_Atomic uint32_t *)(uintptr_t)completion->told, 1 );
}

static void *io_thread( void *unused )
{
    static struct ws2_io_wait_params wait;
    static struct ws2_operation_fetch_params fetch;
    static struct ws2_notify_fetch_params notify;

    (void)unused;
    for ( ;; )
    {
        if ( unix_io_wait( &wait ) || wait.error ) abort();
        do {
            unix_operation_fetch( &fetch );
            for ( uint32_t i = 0; i < fetch.count; i++ ) tell( &fetch.completions[i] );
        } while ( fetch.count );
        do unix_notify_fetch( &notify );
        while ( notify.count );
    }
    return NULL;
}

/* --- beginning --------------------------------------------------------------------------------------------------------*/

static void isolate( void )
{
    struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    int fd;

    if ( unshare( CLONE_NEWNET ) && unshare( CLONE_NEWUSER | CLONE_NEWNET ) ) return;
    fd = socket( AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0 );
    isolated = !ioctl( fd, SIOCSIFFLAGS, &loopback );
    close( fd );
}

static int local_listener( void )
{
    const struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl( INADDR_LOOPBACK ) };
    int fd = socket( AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0 );

    if ( bind( fd, (const struct sockaddr *)&address, sizeof( address ) ) || listen( fd, 1 ) ) abort();
    return fd;
}

static void begin( void )
{
    static char directory[] = "/tmp/ws2host-fuzz-XXXXXX";
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct ws2_attach_params attach = { .windows_pid = 0x20, .build = WS2_INTERFACE };
    struct ws2_thread_params self = { .thread = 0x24 };
    pthread_t thread;
    int listener;

    isolate();
    if ( !mkdtemp( directory ) || setenv( "WS2HOST_DIR", directory, 1 ) || setenv( "WS2SERVER", "/bin/true", 1 ) )
        abort();
    snprintf( address.sun_path, sizeof( address.sun_path ), "%s/" WS2_SERVER_SOCKET, directory );
    listener = socket( AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0 );
    if ( bind( listener, (struct sockaddr *)&address, sizeof( address ) ) || listen( listener, 4 ) ) abort();
    if ( pthread_create( &thread, NULL, serve, (void *)(intptr_t)listener ) ) abort();
    unix_attach( &attach );
    if ( attach.error ) abort();
    /* the paths are of no further use: nothing connects again, and kicks go nowhere */
    unlink( address.sun_path );
    rmdir( directory );
    listener_fd = local_listener();
    unix_wait_thread( &self );
    if ( pthread_create( &thread, NULL, io_thread, NULL ) ) abort();
}

/* --- the actions ------------------------------------------------------------------------------------------------------*/

static char small_room[64], large_room[2048], accept_room[64], control_room[96], name_room[128];

#define user( memory ) ( (uint64_t)(uintptr_t)( memory ) )
#define PAST \
    { \
        .deadline = 1, .slice = 10 \
    } /* what would wait has waited */

static uint64_t handle_of( uint8_t who ) { return 0x40 + 4 * ( who % HANDLES ); }

static void close_it( uint64_t handle )
{
    struct ws2_handle_params params = { .handle = handle };

    if ( !unix_close_begin( &params ) ) unix_close_end( &params );
}

static void install( uint64_t descriptor, uint64_t handle )
{
    struct ws2_socket_install_params params = { .handle = handle, .descriptor = descriptor };

    if ( !descriptor ) return;
    unix_socket_install( &params );
    if ( params.error ) unix_socket_discard( &params );
}

static void write_slot( const struct record *r )
{
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( handle_of( r->who ), &status );
    const unsigned int at = r->small % sizeof( struct ws2_slot );
    size_t size = 1 + r->other % sizeof( r->bytes );

    if ( !d ) return;
    if ( size > sizeof( struct ws2_slot ) - at ) size = sizeof( struct ws2_slot ) - at;
    memcpy( (char *)ws2_table_slot( table, d->slot_index ) + at, r->bytes, size );
    descriptor_release( d );
}

static void create( const struct record *r )
{
    static const struct
    {
        uint8_t family, type, protocol;
    } kinds[] = { { WS_AF_INET, SOCK_STREAM, IPPROTO_TCP },
                  { WS_AF_INET, SOCK_DGRAM, IPPROTO_UDP },
                  { WS_AF_INET6, SOCK_STREAM, IPPROTO_TCP },
                  { WS_AF_INET6, SOCK_DGRAM, IPPROTO_UDP },
                  { WS_AF_UNIX, SOCK_STREAM, 0 } };
    const unsigned int kind = r->small % ( sizeof( kinds ) / sizeof( kinds[0] ) );
    struct ws2_socket_create_params params = {
        .family = kinds[kind].family, .type = kinds[kind].type, .protocol = kinds[kind].protocol, .flags = r->a
    };

    close_it( handle_of( r->who ) );
    if ( !unix_socket_create( &params ) && !params.error ) install( params.descriptor, handle_of( r->who ) );
}

/* An address on loopback: that of another socket, or of the listener that is always there; Windows' form. */
static uint32_t near_address( const struct record *r, union host_address *address )
{
    NTSTATUS status;
    struct descriptor *d = r->small & 1 ? descriptor_acquire( handle_of( r->other ), &status ) : NULL;
    socklen_t size = sizeof( *address );

    memset( address, 0, sizeof( *address ) );
    getsockname( d ? d->fd : listener_fd, &address->any, &size );
    if ( d ) descriptor_release( d );
    if ( address->any.sa_family == AF_INET6 )
    {
        address->in6.sin6_addr = in6addr_loopback;
        address->any.sa_family = WS_AF_INET6;
    }
    else if ( address->any.sa_family == AF_INET ) address->in.sin_addr.s_addr = htonl( INADDR_LOOPBACK );
    return size;
}

static void bind_it( const struct record *r )
{
    struct ws2_address_params params = { .handle = handle_of( r->who ) };
    union host_address address;

    params.size = near_address( r, &address );
    address.in.sin_port = 0;
    if ( r->small & 2 )
    {
        /* a name that no file has, as long as they get */
        memset( &address, 0, sizeof( address ) );
        address.un.sun_family = AF_UNIX;
        snprintf( address.un.sun_path + 1, sizeof( address.un.sun_path ) - 1, "%0100d-%d", getpid(), r->who % HANDLES );
        params.size = sizeof( address.un );
    }
    params.address = user( &address );
    unix_bind( &params );
}

static void connect_it( const struct record *r )
{
    union host_address address;
    struct ws2_address_params params = {
        .handle = handle_of( r->who ), .size = near_address( r, &address ), .address = user( &address ), .wait = PAST
    };

    unix_connect( &params );
}

static void accept_it( const struct record *r )
{
    int32_t size = sizeof( name_room );
    struct ws2_accept_params params = {
        .handle = handle_of( r->who ), .address = user( name_room ), .size_pointer = user( &size ), .wait = PAST
    };
    struct ws2_accept_defer_params defer = { .handle = handle_of( r->who ), .accepted = handle_of( r->other ) };

    if ( handle_of( r->who ) == handle_of( r->other ) ) return;
    close_it( handle_of( r->other ) );
    if ( unix_accept( &params ) || params.error ) return;
    install( params.descriptor, handle_of( r->other ) );
    /* put off before the program has seen it */
    if ( r->small & 1 ) unix_accept_defer( &defer );
}

static void transfer( const struct record *r, int receive )
{
    struct ws2_transfer_params params = { .handle = handle_of( r->who ),
                                          .flags = r->b,
                                          .buffer = user( small_room ),
                                          .size = r->a % ( sizeof( small_room ) + 1 ),
                                          .wait = PAST };

    if ( receive ) unix_recv( &params );
    else unix_send( &params );
}

static uint32_t fill_buffers( const struct record *r, struct windows_buffer buffers[20] )
{
    const uint32_t count = r->a % 20;

    for ( uint32_t i = 0; i < count; i++ )
        buffers[i] = ( struct windows_buffer ){ .size = ( r->b >> i ) % 33, .pointer = user( small_room ) };
    return count;
}

static void message( const struct record *r, int receive )
{
    struct windows_buffer buffers[20];
    union host_address address;
    int32_t size = sizeof( name_room );
    struct ws2_message_params params = { .handle = handle_of( r->who ),
                                         .flags = r->bytes[0],
                                         .buffers = user( buffers ),
                                         .count = fill_buffers( r, buffers ),
                                         .wait = PAST,
                                         .width = r->bytes[1] & 1 ? 8 : 0,
                                         .control = user( control_room ) };

    params.control_size = params.width ? r->bytes[2] % ( sizeof( control_room ) + 1 ) : 0;
    if ( receive )
    {
        params.address = user( name_room );
        params.size_pointer = user( &size );
        unix_recvmsg( &params );
        return;
    }
    if ( r->bytes[1] & 2 )
    {
        params.size = near_address( r, &address );
        params.address = user( &address );
    }
    if ( params.control_size > 11 ) memcpy( control_room, r->bytes, sizeof( r->bytes ) );
    unix_sendmsg( &params );
}

static const int32_t levels[] = { 0xffff, IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_IPV6, 0xfffe, 0x114 };
static const uint16_t names[] = { 0x1001, 0x1002, 0x1003, 0x1005, 0x1006, 0x1007, 0x1008, 0x2004, 0x2005, 0x2006,
                                  0x3001, 0x3002, 0x3005, 0x700c, 0x7010, 0x7002, 0x7003, 0x80,   0xfffb };

static void option( const struct record *r, int set )
{
    int32_t length = r->other % ( sizeof( small_room ) + 1 );
    struct ws2_option_params params = { .handle = handle_of( r->who ),
                                        .level = levels[r->small % ( sizeof( levels ) / sizeof( levels[0] ) )],
                                        .name = r->a & 0x100 ? names[r->a % ( sizeof( names ) / sizeof( names[0] ) )]
                                                             : r->a % 256,
                                        .size = length,
                                        .value = user( small_room ),
                                        .length = user( &length ) };

    if ( !set )
    {
        unix_getsockopt( &params );
        return;
    }
    /* a group that is joined is told to the network */
    if ( !isolated && params.level != 0xffff && params.level != IPPROTO_TCP ) return;
    memcpy( small_room, &r->b, 4 + sizeof( r->bytes ) );
    unix_setsockopt( &params );
}

static const uint32_t codes[] = { 0x4004667f, 0x8004667e, 0x40047307, 0x98000004, 0x9800000c, 0x9800000d,
                                  0xc8000014, 0x48000016, 0x28000017, 0x8000000a, 0x88000009, 0x98000002,
                                  0x48000022, 0x4004747f, 0xd8000027, 0x28000002, 0x48000005, 0x88000010,
                                  0x98000011, 0xc8000019, 0x98000010, 0x98000001, 0x9800000f, 0x4004747b };

static void ioctl_it( const struct record *r )
{
    struct ws2_ioctl_params params = { .handle = handle_of( r->who ),
                                       .code = codes[r->small % ( sizeof( codes ) / sizeof( codes[0] ) )],
                                       .in = user( small_room ),
                                       .in_size = r->a % ( sizeof( small_room ) + 1 ),
                                       .out = user( large_room ),
                                       .out_size = r->b % ( sizeof( large_room ) + 1 ),
                                       .width = 8,
                                       .has_count = 1,
                                       .wait = PAST,
                                       .change_fd = -1 };

    memcpy( small_room, r->bytes, sizeof( r->bytes ) );
    if ( ( params.code & 0xff ) == 0x17 || ( params.code & 0xff ) == 0x15 )
        params.wait.deadline = 0; /* waits, and says so */
    if ( unix_ioctl( &params ) == WS2_STATUS_ALERT && params.change_fd >= 0 ) close( params.change_fd );
}

static void select_it( const struct record *r )
{
    struct
    {
        uint32_t count, padding;
        uint64_t handles[HANDLES];
    } sets[3] = { 0 };
    struct ws2_select_params params = { .read = user( &sets[0] ),
                                        .write = user( &sets[1] ),
                                        .except = user( &sets[2] ),
                                        .timeout = r->other & 1,
                                        .wait = PAST };

    for ( int set = 0; set < 3; set++ )
        for ( int i = 0; i < HANDLES; i++ )
            if ( r->a >> ( set * 8 + i % 8 ) & 1 ) sets[set].handles[sets[set].count++] = handle_of( i );
    unix_select( &params );
}

static void poll_it( const struct record *r )
{
    struct
    {
        uint64_t fd;
        int16_t events, revents;
        uint32_t padding;
    } fds[HANDLES] = { 0 };
    struct ws2_poll_params params = {
        .fds = user( fds ), .count = r->small % ( HANDLES + 1 ), .timeout = r->other & 1, .wait = PAST
    };

    for ( int i = 0; i < HANDLES; i++ )
    {
        fds[i].fd = handle_of( i );
        fds[i].events = r->bytes[i] & 1 ? 0x310 : r->bytes[i] & 0x10;
    }
    params.adopted_from = HANDLES;
    unix_poll( &params );
}

static void register_events( const struct record *r )
{
    struct ws2_event_select_params select = {
        .handle = handle_of( r->who ), .mask = r->a & 0x3ff, .target = 0x1000, .message = r->b & 1 ? r->b : 0
    };
    struct ws2_event_enum_params take = { .handle = handle_of( r->who ) };
    struct ws2_event_inherit_params inherit = { .handle = handle_of( r->who ), .listener = handle_of( r->other ) };
    struct ws2_event_attempt_params attempt = { .handle = handle_of( r->who ), .event = 1u << r->a % 10 };

    switch ( r->small & 3 )
    {
    case 0: unix_event_select( &select ); break;
    case 1: unix_event_enum( &take ); break;
    case 2: unix_event_inherit( &inherit ); break;
    case 3: unix_event_attempt( &attempt ); break;
    }
}

static void ask_names( const struct record *r )
{
    int32_t size = sizeof( name_room );
    struct ws2_address_params address = { .handle = handle_of( r->who ),
                                          .address = user( name_room ),
                                          .size_pointer = user( &size ) };
    struct ws2_socket_state_params state = { .handle = handle_of( r->who ) };
    struct ws2_socket_info_params info = { .handle = handle_of( r->who ) };
    struct ws2_thread_params thread = { .thread = r->a };

    switch ( r->small & 7 )
    {
    case 0: unix_getsockname( &address ); break;
    case 1: unix_getpeername( &address ); break;
    case 2: unix_socket_state( &state ); break;
    case 3: unix_wait_alert( &thread ); break;
    case 4: unix_wait_cancel( &thread ); break;
    default: unix_socket_info( &info ); break;
    }
}

static struct ws2_operation operation_of( const struct record *r )
{
    return ( struct ws2_operation ){ .handle = handle_of( r->who ),
                                     .how = r->small & 3,
                                     .target = { .iosb = 1 + r->other % 4, .event = r->other & 4, .thread_id = 1 } };
}

static void release( struct ws2_operation *operation )
{
    if ( operation->held ) unix_operation_release( operation );
}

static void overlapped( const struct record *r, int receive )
{
    static int32_t size;
    struct windows_buffer buffers[20];
    union host_address address;
    struct ws2_operation_transfer_params params = { .operation = operation_of( r ),
                                                    .buffers = user( buffers ),
                                                    .count = fill_buffers( r, buffers ),
                                                    .flags = r->bytes[0] };

    if ( receive )
    {
        size = sizeof( name_room );
        if ( r->bytes[1] & 1 ) params.address = user( name_room ), params.size_pointer = user( &size );
        unix_operation_receive( &params );
    }
    else
    {
        if ( r->bytes[1] & 1 ) params.address = user( &address ), params.size = near_address( r, &address );
        unix_operation_send( &params );
    }
    release( &params.operation );
}

static void overlapped_accept( const struct record *r )
{
    struct ws2_operation_accept_params params = { .operation = operation_of( r ),
                                                  .acceptor = handle_of( r->other ),
                                                  .buffer = user( accept_room ),
                                                  .local_size = 32,
                                                  .remote_size = 32 };

    unix_operation_accept( &params );
    release( &params.operation );
}

static void overlapped_connect( const struct record *r )
{
    union host_address address;
    struct ws2_operation_connect_params params = { .operation = operation_of( r ),
                                                   .address = user( &address ),
                                                   .address_size = near_address( r, &address ),
                                                   .data = user( small_room ),
                                                   .data_size = r->a % ( sizeof( small_room ) + 1 ) };

    unix_operation_connect( &params );
    release( &params.operation );
}

static void overlapped_other( const struct record *r )
{
    struct ws2_segment segment = { .memory = user( small_room ),
                                   .size = r->b % ( sizeof( small_room ) + 1 ),
                                   .fd = -1 };
    struct ws2_operation_transmit_params transmit = {
        .operation = operation_of( r ), .segments = user( &segment ), .count = 1, .flags = r->a & 7
    };
    struct ws2_operation_disconnect_params disconnect = { .operation = operation_of( r ), .reuse = r->a & 1 };
    struct ws2_operation idle = operation_of( r );

    switch ( r->bytes[0] % 3 )
    {
    case 0:
        unix_operation_transmit( &transmit );
        release( &transmit.operation );
        break;
    case 1:
        unix_operation_disconnect( &disconnect );
        release( &disconnect.operation );
        break;
    case 2:
        unix_operation_idle( &idle );
        release( &idle );
        break;
    }
}

static void port( const struct record *r )
{
    struct ws2_port_params params = { .handle = handle_of( r->who ),
                                      .port = { .handle = r->a, .key = r->b, .modes = r->other } };

    switch ( r->small % 3 )
    {
    case 0: unix_port_associate( &params ); break;
    case 1: unix_port_modes( &params ); break;
    case 2: unix_port_query( &params ); break;
    }
}

static void notify( const struct record *r )
{
    const uint64_t handles[2] = { handle_of( r->who ), handle_of( r->other ) };
    struct ws2_notify_register_params params = { .handle = handle_of( r->who ),
                                                 .port = 0x100 + ( r->a & 1 ),
                                                 .key = r->b,
                                                 .filter = r->bytes[0] & 0xf,
                                                 .operation = 1u << r->bytes[1] % 3,
                                                 .trigger = 1u << r->bytes[2] % 4 };
    struct ws2_notify_taken_params taken = {
        .port = 0x100 + ( r->a & 1 ), .how = r->bytes[3] % 3, .count = 2, .handles = user( handles )
    };

    if ( r->small & 1 ) unix_notify_taken( &taken );
    else unix_notify_register( &params );
}

static void afd_poll( const struct record *r )
{
    struct
    {
        struct ws2_afd_poll_header header;
        struct ws2_afd_poll_entry entries[3];
    } input = { .header = { .timeout = -(int64_t)( r->b & 1 ), .count = r->a % 4 } };
    static char output[sizeof( input )];
    struct ws2_afd_poll_params params = { .operation = operation_of( r ),
                                          .input = user( &input ),
                                          .output = user( output ),
                                          .input_size =
                                              sizeof( input.header ) + input.header.count * sizeof( input.entries[0] ),
                                          .output_size = sizeof( output ) };

    if ( !( r->b & 2 ) ) input.header.timeout = -10000; /* 1 ms */
    for ( int i = 0; i < 3; i++ )
        input.entries[i] =
            ( struct ws2_afd_poll_entry ){ .handle = handle_of( r->bytes[i] ), .flags = r->bytes[3 + i] * 3 };
    unix_afd_poll( &params );
}

static void share( const struct record *r )
{
    struct ws2_duplicate_params duplicate = { .handle = handle_of( r->who ), .target = 0x20 };
    struct ws2_redeem_params redeem = { .ticket = r->a };

    if ( !( r->small & 1 ) )
    {
        unix_duplicate( &duplicate );
        return;
    }
    close_it( handle_of( r->other ) );
    if ( !unix_redeem( &redeem ) && !redeem.error ) install( redeem.descriptor, handle_of( r->other ) );
}

static void adopt( const struct record *r )
{
    struct ws2_socket_adopt_params params = { .handle = handle_of( r->other ) };
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( handle_of( r->who ), &status );

    if ( !d ) return;
    params.fd = dup( d->fd );
    descriptor_release( d );
    if ( handle_of( r->who ) != handle_of( r->other ) ) close_it( handle_of( r->other ) );
    unix_socket_adopt( &params );
}

static void run( const struct record *r )
{
    struct ws2_listen_params listen = { .handle = handle_of( r->who ), .backlog = r->a };
    struct ws2_shutdown_params shut = { .handle = handle_of( r->who ), .how = r->small % 4 };
    struct ws2_operation_cancel_params cancel = { .handle = r->small & 1 ? handle_of( r->who ) : 0,
                                                  .iosb = r->other % 5 };

    switch ( ( enum action )( r->action % ACTIONS ) )
    {
    case WRITE_SLOT: write_slot( r ); break;
    case WRITE_TABLE:
        memcpy( (char *)table + r->a % ( WS2_TABLE_SLOTS - sizeof( r->bytes ) ), r->bytes, sizeof( r->bytes ) );
        break;
    case FORGE:
        /* near the blocks in use, at the ends, or anything */
        atomic_store( &forged[1], r->other & 1 ? r->a % ( BLOCKS * WS2_BLOCK_SLOTS ) : r->a );
        atomic_store( &forged[2], r->b );
        atomic_store( &forged[3], r->small );
        atomic_store( &forged[0], r->who % 3 );
        break;
    case CREATE: create( r ); break;
    case CLOSE: close_it( handle_of( r->who ) ); break;
    case BIND: bind_it( r ); break;
    case LISTEN: unix_listen( &listen ); break;
    case CONNECT: connect_it( r ); break;
    case ACCEPT: accept_it( r ); break;
    case SEND: transfer( r, 0 ); break;
    case RECEIVE: transfer( r, 1 ); break;
    case SEND_MESSAGE: message( r, 0 ); break;
    case RECEIVE_MESSAGE: message( r, 1 ); break;
    case GET_OPTION: option( r, 0 ); break;
    case SET_OPTION: option( r, 1 ); break;
    case IOCTL: ioctl_it( r ); break;
    case SELECT: select_it( r ); break;
    case POLL: poll_it( r ); break;
    case REGISTER_EVENTS: register_events( r ); break;
    case NAMES: ask_names( r ); break;
    case OVERLAPPED_RECEIVE: overlapped( r, 1 ); break;
    case OVERLAPPED_SEND: overlapped( r, 0 ); break;
    case OVERLAPPED_ACCEPT: overlapped_accept( r ); break;
    case OVERLAPPED_CONNECT: overlapped_connect( r ); break;
    case OVERLAPPED_OTHER: overlapped_other( r ); break;
    case CANCEL: unix_operation_cancel( &cancel ); break;
    case PORT: port( r ); break;
    case NOTIFY: notify( r ); break;
    case AFD_POLL: afd_poll( r ); break;
    case SHARE: share( r ); break;
    case ADOPT: adopt( r ); break;
    case SHUTDOWN: unix_shutdown( &shut ); break;
    case ACTIONS: break;
    }
}

/* Nothing is left of an input for the next: handles, waiting connections, and what stands in the table. */
static void end( void )
{
    int fd;

    atomic_store( &forged[0], 0 );
    for ( int i = 0; i < HANDLES; i++ ) close_it( handle_of( i ) );
    while ( ( fd = accept4( listener_fd, NULL, NULL, SOCK_NONBLOCK ) ) >= 0 ) close( fd );
    reset_header();
    for ( uint32_t i = 0; i < BLOCKS * WS2_BLOCK_SLOTS; i++ )
    {
        struct ws2_slot *slot = ws2_table_slot( table, i );
        const uint64_t word = atomic_load( &slot->word );

        if ( ws2_word_state( word ) != WS2_SLOT_FREE )
            atomic_store( &slot->word, ws2_word( ws2_word_generation( word ) + 1, 0, WS2_SLOT_FREE ) );
    }
}

int LLVMFuzzerTestOneInput( const uint8_t *data, size_t size )
{
    struct record record;

    if ( !table ) begin();
    if ( size > RECORDS * sizeof( record ) ) return 0;
    for ( ; size >= sizeof( record ); data += sizeof( record ), size -= sizeof( record ) )
    {
        memcpy( &record, data, sizeof( record ) );
        run( &record );
    }
    end();
    return 0;
}
