/*
 * Request queues of registered I/O: the receives and sends of one socket.
 *
 * A request is an overlapped operation of the host half that has no status block, event or packet: it is tried at once in
 * the caller, what has to wait is the I/O thread's, and its end goes into a completion queue of this process. It belongs to
 * no thread, and only the closing of its socket cancels it. It counts as outstanding until the program has taken its end.
 *
 * Requests of a direction begin in the order in which they were given; those with RIO_MSG_DEFER stay here until one without
 * it, or RIO_MSG_COMMIT_ONLY, follows.
 */
#include "base/operation_options.h"
#include "registered/registered.h"
#include "registered/registered_io.h"
#include "ws2host/table.h"

enum direction
{
    RECEIVING,
    SENDING,
    DIRECTIONS
};

#define CONTROL_SIZE 512 /* of a send, the same as the host half's */

/* What only requests on datagrams have that ask for more than data and an address. */
struct registered_extras
{
    WSAMSG message;
    SOCKADDR_INET local; /* of a receive that does not ask for it */
    char *local_user;
    char *control_user; /* RIO_CMSG_BUFFER of a receive; NULL for none */
    _Alignas( 8 ) char control[CONTROL_SIZE];
};

struct request_queue
{
    struct registered_object object;
    SRWLOCK starting[DIRECTIONS]; /* beginning requests in order; for `open` and the list */
    struct registered_request *deferred[DIRECTIONS], **deferred_end[DIRECTIONS];
    volatile BOOL open;

    SRWLOCK lock; /* for what follows */
    struct registered_request *free;
    UINT32 limit[DIRECTIONS], outstanding[DIRECTIONS];
    BOOL gone;

    SOCKET socket;
    int family, type;
    ULONGLONG context;
    struct completion_queue *ends[DIRECTIONS];
    struct request_queue *next; /* by socket */
};

/* The open queues by their sockets, for those who close one. */
static SRWLOCK sockets_lock = SRWLOCK_INIT;
static struct request_queue *volatile sockets[256];
static LONG open_queues;

static struct request_queue *volatile *sockets_place( SOCKET s ) { return &sockets[s / 4 % ARRAYSIZE( sockets )]; }

/* --- requests ------------------------------------------------------------------------------------------------------*/

static void request_queue_dispose( struct request_queue *queue )
{
    for ( enum direction direction = 0; direction < DIRECTIONS; direction++ )
        registered_unreserve( queue->ends[direction], queue->limit[direction] );
    registered_free( REGISTERED_REQUESTS, queue );
}

static BOOL is_idle( const struct request_queue *queue )
{
    return !queue->outstanding[RECEIVING] && !queue->outstanding[SENDING];
}

static void request_free( struct registered_request *request )
{
    struct request_queue *queue = request->queue;
    BOOL last;

    free( request->extras );
    lock_exclusive( &queue->lock );
    request->next = queue->free;
    queue->free = request;
    queue->outstanding[request->sending]--;
    last = queue->gone && is_idle( queue );
    ReleaseSRWLockExclusive( &queue->lock );
    if ( last ) request_queue_dispose( queue );
}

static struct registered_request *request_new( struct request_queue *queue, enum direction direction )
{
    struct registered_request *request = NULL;

    lock_exclusive( &queue->lock );
    if ( queue->outstanding[direction] < queue->limit[direction] )
    {
        if ( ( request = queue->free ) ) queue->free = request->next;
        else request = malloc( sizeof( *request ) );
        if ( request ) queue->outstanding[direction]++;
    }
    ReleaseSRWLockExclusive( &queue->lock );
    if ( !request ) return NULL;
    memset( request, 0, sizeof( *request ) );
    request->queue = queue;
    request->free = request_free;
    request->sending = direction == SENDING;
    request->result.SocketContext = queue->context;
    return request;
}

/* Tells whom it concerns, and nobody may touch the program's buffers afterwards. */
static void end_request( struct registered_request *request, int error, UINT64 bytes, UINT32 flags )
{
    struct registered_extras *extras = request->extras;
    RIO_CMSG_BUFFER header = { RIO_CMSG_BASE_SIZE };

    request->result.Status = error == ERROR_PORT_UNREACHABLE      ? WSAECONNRESET
                             : error == ERROR_INVALID_USER_BUFFER ? WSAEMSGSIZE
                                                                  : error;
    request->result.BytesTransferred = error && error != WSAEMSGSIZE ? 0 : (ULONG)bytes;
    if ( request->flags_user ) ws2_write( request->flags_user, &flags, sizeof( flags ) );
    if ( extras && extras->control_user && ( !error || error == WSAEMSGSIZE ) )
    {
        header.TotalLength += extras->message.Control.len;
        ws2_write( extras->control_user, &header, sizeof( header ) );
    }
    registered_push( request->queue->ends[request->sending], request );
}

void registered_ended( const struct ws2_completion *completion )
{
    end_request( (struct registered_request *)(UINT_PTR)completion->target.iosb, completion->error,
                 completion->information, completion->flags );
}

static void start_request( struct registered_request *request )
{
    struct registered_extras *extras = request->extras;
    struct ws2_operation_transfer_params params = {
        /* an event that is none: the socket, waited for as a file, knows nothing of such operations */
        .operation = { .handle = request->queue->socket,
                       .target = { .iosb = ws2_pointer( request ), .event = 1, .options = TARGET_REGISTERED } },
        .buffers = ws2_pointer( &request->data ),
        .count = 1,
        .flags = request->flags & RIO_MSG_WAITALL ? MSG_WAITALL : 0
    };
    int error;

    if ( extras )
    {
        params.message = ws2_pointer( &extras->message );
        params.local = request->sending ? 0 : ws2_pointer( extras->local_user );
    }
    else if ( request->address )
    {
        params.address = ws2_pointer( request->address );
        if ( request->sending ) params.size = request->address_size;
        else params.size_pointer = ws2_pointer( &request->address_size );
    }
    error = ws2_call_( request->sending ? ws2_call_operation_send : ws2_call_operation_receive, &params );
    if ( params.operation.need_io_thread ) ws2_start_io_thread();
    if ( error != WSA_IO_PENDING ) end_request( request, error, params.operation.information, params.operation.flags );
}

/* Begins what is deferred; the direction's lock is held. */
static void commit_deferred( struct request_queue *queue, enum direction direction )
{
    struct registered_request *request = queue->deferred[direction], *next;

    queue->deferred[direction] = NULL;
    for ( ; request; request = next )
    {
        next = request->next;
        start_request( request );
    }
}

static void add_deferred( struct request_queue *queue, enum direction direction, struct registered_request *request )
{
    request->next = NULL;
    if ( !queue->deferred[direction] ) queue->deferred_end[direction] = &queue->deferred[direction];
    *queue->deferred_end[direction] = request;
    queue->deferred_end[direction] = &request->next;
}

/* --- what a request asks for ---------------------------------------------------------------------------------------*/

/* The program's arguments of one call. */
struct request_arguments
{
    RIO_RQ queue;
    RIO_BUF *data, *local, *remote, *control, *result_flags;
    ULONG count;
    DWORD flags;
    void *context;
};

#define CMSG_UNIT (unsigned int)sizeof( void * ) /* headers and data stand at multiples of it */
static int header_size( size_t data )
{
    return (int)( ( sizeof( WSACMSGHDR ) + CMSG_UNIT - 1 ) & ~( CMSG_UNIT - 1 ) ) + (int)data;
}

/* Control data that has a datagram sent from that address; its size, 0 when any address will do. */
static ULONG put_source( char *control, const SOCKADDR_INET *source, int family )
{
    static const IN6_ADDR any;
    WSACMSGHDR *header = (WSACMSGHDR *)control;
    IN_PKTINFO v4 = { .ipi_addr = source->Ipv4.sin_addr };
    IN6_PKTINFO v6 = { .ipi6_addr = source->Ipv6.sin6_addr };
    BOOL is_v6 = family == AF_INET6;

    if ( is_v6 ? !memcmp( &v6.ipi6_addr, &any, sizeof( any ) ) : !v4.ipi_addr.s_addr ) return 0;
    header->cmsg_len = header_size( is_v6 ? sizeof( v6 ) : sizeof( v4 ) );
    header->cmsg_level = is_v6 ? IPPROTO_IPV6 : IPPROTO_IP;
    header->cmsg_type = is_v6 ? IPV6_PKTINFO : IP_PKTINFO;
    memcpy( control + header_size( 0 ), is_v6 ? (void *)&v6 : (void *)&v4, is_v6 ? sizeof( v6 ) : sizeof( v4 ) );
    return ( header->cmsg_len + CMSG_UNIT - 1 ) & ~( CMSG_UNIT - 1 );
}

static int fill_send( const struct request_queue *queue, struct registered_extras *extras,
                      const struct registered_segment *local, const struct registered_segment *control )
{
    RIO_CMSG_BUFFER header;
    SOCKADDR_INET source;
    ULONG used = 0, more;

    extras->message.Control.buf = extras->control;
    if ( local->memory )
    {
        if ( ws2_read( &source, local->memory, sizeof( source ) ) ) return WSAEFAULT;
        if ( source.si_family != queue->family ) return WSAEINVAL;
        used = put_source( extras->control, &source, queue->family );
    }
    if ( control->memory )
    {
        if ( ws2_read( &header, control->memory, sizeof( header ) ) ) return WSAEFAULT;
        if ( header.TotalLength > control->size || header.TotalLength < RIO_CMSG_BASE_SIZE ) return WSAEINVAL;
        more = header.TotalLength - RIO_CMSG_BASE_SIZE;
        if ( used + more > sizeof( extras->control ) ) return WSAENOBUFS;
        if ( ws2_read( extras->control + used, control->memory + RIO_CMSG_BASE_SIZE, more ) ) return WSAEFAULT;
        used += more;
    }
    extras->message.Control.len = used;
    return 0;
}

static void fill_receive( struct registered_extras *extras, const struct registered_segment *local,
                          const struct registered_segment *control )
{
    extras->local_user = local->memory ? local->memory : (char *)&extras->local;
    extras->control_user = control->memory;
    if ( !control->memory ) return;
    extras->message.Control.buf = control->memory + RIO_CMSG_BASE_SIZE;
    extras->message.Control.len = control->size - RIO_CMSG_BASE_SIZE;
}

/* A connection's ends do not change: they are told when the request is made. */
static int tell_ends( const struct request_queue *queue, const struct registered_segment *local,
                      const struct registered_segment *remote, const struct registered_segment *control )
{
    struct ws2_socket_state_params state = { .handle = queue->socket };
    const RIO_CMSG_BUFFER none = { RIO_CMSG_BASE_SIZE };
    int error;

    if ( !local->memory && !remote->memory && !control->memory ) return 0;
    if ( ( error = ws2_call( socket_state, &state ) ) ) return error;
    if ( ( local->memory && ws2_write( local->memory, state.local, sizeof( SOCKADDR_INET ) ) ) ||
         ( remote->memory && ws2_write( remote->memory, state.remote, sizeof( SOCKADDR_INET ) ) ) ||
         ( control->memory && ws2_write( control->memory, &none, sizeof( none ) ) ) )
        return WSAEFAULT;
    return 0;
}

static int fill_request( const struct request_queue *queue, struct registered_request *request,
                         const struct request_arguments *arguments )
{
    struct registered_segment data, local, remote, control, flags;
    struct registered_extras *extras;
    int error;

    if ( arguments->count && !arguments->data ) return WSAEFAULT;
    if ( ( error = registered_segment( arguments->count ? arguments->data : NULL, &data ) ) ) return error;
    if ( ( error = registered_segment( arguments->local, &local ) ) ) return error;
    if ( ( error = registered_segment( arguments->remote, &remote ) ) ) return error;
    if ( ( error = registered_segment( arguments->control, &control ) ) ) return error;
    if ( ( error = registered_segment( arguments->result_flags, &flags ) ) ) return error;
    if ( ( local.memory && local.size < sizeof( SOCKADDR_INET ) ) ||
         ( remote.memory && remote.size < sizeof( SOCKADDR_INET ) ) ||
         ( control.memory && control.size < RIO_CMSG_BASE_SIZE ) || ( flags.memory && flags.size < sizeof( DWORD ) ) )
        return WSAEINVAL;

    request->flags = arguments->flags;
    request->result.RequestContext = (UINT_PTR)arguments->context;
    request->data = ( WSABUF ){ data.size, data.memory };
    request->flags_user = flags.memory;
    if ( queue->type == SOCK_STREAM ) return request->sending ? 0 : tell_ends( queue, &local, &remote, &control );
    if ( arguments->flags & RIO_MSG_WAITALL ) return WSAEINVAL;
    request->address = remote.memory;
    request->address_size = sizeof( SOCKADDR_INET );
    if ( !local.memory && !control.memory && !flags.memory ) return 0;

    if ( !( extras = request->extras = calloc( 1, sizeof( *extras ) ) ) ) return WSAENOBUFS;
    extras->message = ( WSAMSG ){ .name = (struct sockaddr *)remote.memory,
                                  .namelen = remote.memory ? sizeof( SOCKADDR_INET ) : 0,
                                  .lpBuffers = &request->data,
                                  .dwBufferCount = 1 };
    if ( request->sending ) return fill_send( queue, extras, &local, &control );
    fill_receive( extras, &local, &control );
    return 0;
}

/* --- requesting ----------------------------------------------------------------------------------------------------*/

#define FLAGS ( RIO_MSG_DONT_NOTIFY | RIO_MSG_DEFER )

/* The direction's lock is held. */
static int add_request( struct request_queue *queue, enum direction direction,
                        const struct request_arguments *arguments )
{
    struct registered_request *request;
    int error;

    if ( arguments->flags == RIO_MSG_COMMIT_ONLY )
    {
        if ( arguments->data || arguments->count || arguments->local || arguments->remote || arguments->control ||
             arguments->result_flags || arguments->context )
            return WSAEINVAL;
        commit_deferred( queue, direction );
        return 0;
    }
    if ( ( arguments->flags & ~( direction == RECEIVING ? FLAGS | RIO_MSG_WAITALL : FLAGS ) ) || arguments->count > 1 )
        return WSAEINVAL;
    if ( !registered_is_open( queue->ends[direction] ) ) return WSAEINVAL;
    if ( !( request = request_new( queue, direction ) ) ) return WSAENOBUFS;
    if ( ( error = fill_request( queue, request, arguments ) ) )
    {
        request_free( request );
        return error;
    }
    if ( arguments->flags & RIO_MSG_DEFER ) add_deferred( queue, direction, request );
    else
    {
        commit_deferred( queue, direction );
        start_request( request );
    }
    return 0;
}

static BOOL is_named( const struct request_queue *queue, RIO_RQ handle )
{
    return queue->open && queue->object.id == (UINT32)(UINT_PTR)handle;
}

static int begin_request( enum direction direction, const struct request_arguments *arguments )
{
    struct request_queue *queue = registered_find( arguments->queue, REGISTERED_REQUESTS );
    int error;

    if ( !ws2_started ) return WSANOTINITIALISED;
    if ( !queue ) return WSAEINVAL;
    lock_exclusive( &queue->starting[direction] );
    error = is_named( queue, arguments->queue ) ? add_request( queue, direction, arguments ) : WSAEINVAL;
    ReleaseSRWLockExclusive( &queue->starting[direction] );
    return error;
}

/* The end of the four functions below; the rest of the arguments fills in a struct request_arguments. */
#define REQUEST_RESULT( function, direction, ... ) \
    ( { \
        const struct request_arguments arguments = __VA_ARGS__; \
        int request_error_ = begin_request( direction, &arguments ); \
        WS2_RESULT_AS( function, !request_error_, request_error_, \
                       "queue=%p, data=%p, count=%lu, local=%p, remote=%p, control=%p, result_flags=%p, flags=%#lx, " \
                       "context=%p", \
                       (void *)arguments.queue, (void *)arguments.data, arguments.count, (void *)arguments.local, \
                       (void *)arguments.remote, (void *)arguments.control, (void *)arguments.result_flags, \
                       arguments.flags, arguments.context ); \
    } )

/***********************************************************************
 *      RIOReceive
 */
BOOL WINAPI registered_receive( RIO_RQ queue, PRIO_BUF data, ULONG count, DWORD flags, PVOID context )
{
    return REQUEST_RESULT( "RIOReceive", RECEIVING,
                           { .queue = queue, .data = data, .count = count, .flags = flags, .context = context } );
}

/***********************************************************************
 *      RIOReceiveEx
 */
int WINAPI registered_receive_ex( RIO_RQ queue, PRIO_BUF data, ULONG count, PRIO_BUF local, PRIO_BUF remote,
                                  PRIO_BUF control, PRIO_BUF result_flags, DWORD flags, PVOID context )
{
    return REQUEST_RESULT( "RIOReceiveEx", RECEIVING,
                           { queue, data, local, remote, control, result_flags, count, flags, context } );
}

/***********************************************************************
 *      RIOSend
 */
BOOL WINAPI registered_send( RIO_RQ queue, PRIO_BUF data, ULONG count, DWORD flags, PVOID context )
{
    return REQUEST_RESULT( "RIOSend", SENDING,
                           { .queue = queue, .data = data, .count = count, .flags = flags, .context = context } );
}

/***********************************************************************
 *      RIOSendEx
 */
BOOL WINAPI registered_send_ex( RIO_RQ queue, PRIO_BUF data, ULONG count, PRIO_BUF local, PRIO_BUF remote,
                                PRIO_BUF control, PRIO_BUF result_flags, DWORD flags, PVOID context )
{
    return REQUEST_RESULT( "RIOSendEx", SENDING,
                           { queue, data, local, remote, control, result_flags, count, flags, context } );
}

/* --- coming and going ----------------------------------------------------------------------------------------------*/

static int check_new( SOCKET s, ULONG receives, ULONG receive_buffers, ULONG sends, ULONG send_buffers,
                      struct ws2_socket_info_params *info )
{
    int error = ws2_call( socket_info, info );

    if ( error ) return error;
    if ( !( info->flags & WS2_FLAG_REGISTERED_IO ) ) return WSAEOPNOTSUPP;
    if ( info->type != SOCK_STREAM && info->type != SOCK_DGRAM ) return WSAEOPNOTSUPP;
    if ( info->flags & WS2_FLAG_LISTENING ) return WSAEINVAL;
    if ( !receives && !sends ) return WSAEINVAL;
    if ( receives > RIO_MAX_CQ_SIZE || sends > RIO_MAX_CQ_SIZE ) return WSAEINVAL;
    if ( ( receives && receive_buffers != 1 ) || ( sends && send_buffers != 1 ) ) return WSAEINVAL;
    for ( struct request_queue *other = *sockets_place( s ); other; other = other->next )
        if ( other->socket == s ) return WSAEINVAL;
    return 0;
}

/* The lock of the sockets is held. */
static int request_queue_create( SOCKET s, ULONG receives, ULONG sends, struct completion_queue *ends[DIRECTIONS],
                                 void *context, const struct ws2_socket_info_params *info, RIO_RQ *handle )
{
    struct request_queue *queue = registered_create( REGISTERED_REQUESTS, sizeof( *queue ) ), *volatile *place =
                                                                                                  sockets_place( s );

    if ( !queue ) return WSAENOBUFS;
    queue->limit[RECEIVING] = receives;
    queue->limit[SENDING] = sends;
    queue->gone = FALSE;
    queue->socket = s;
    queue->family = info->family;
    queue->type = info->type;
    queue->context = (UINT_PTR)context;
    memcpy( queue->ends, ends, sizeof( queue->ends ) );
    queue->next = *place;
    *place = queue;
    InterlockedIncrement( &open_queues );
    queue->open = TRUE;
    *handle = registered_publish( queue );
    return 0;
}

/***********************************************************************
 *      RIOCreateRequestQueue
 */
RIO_RQ WINAPI registered_create_requests( SOCKET s, ULONG receives, ULONG receive_buffers, ULONG sends,
                                          ULONG send_buffers, RIO_CQ receive_queue, RIO_CQ send_queue, PVOID context )
{
    struct ws2_socket_info_params info = { .handle = s };
    struct completion_queue *ends[DIRECTIONS] = { NULL, NULL };
    RIO_RQ handle = RIO_INVALID_RQ;
    int error;

    WS2_REQUIRE_STARTUP( RIO_INVALID_RQ );
    lock_exclusive( &sockets_lock );
    if ( !( error = check_new( s, receives, receive_buffers, sends, send_buffers, &info ) ) &&
         ( ends[RECEIVING] = registered_reserve( receive_queue, receives, &error ) ) &&
         ( ends[SENDING] = registered_reserve( send_queue, sends, &error ) ) )
        error = request_queue_create( s, receives, sends, ends, context, &info, &handle );
    ReleaseSRWLockExclusive( &sockets_lock );
    /* who closed the socket meanwhile has seen the queue, or is seen here */
    if ( !error && ( error = ws2_call( socket_info, &info ) ) )
    {
        registered_closing( s );
        return WS2_RESULT_AS( "RIOCreateRequestQueue", RIO_INVALID_RQ, error, "s=%#zx: closed meanwhile", s );
    }
    if ( error && ends[RECEIVING] ) registered_unreserve( ends[RECEIVING], receives );
    if ( error && ends[SENDING] ) registered_unreserve( ends[SENDING], sends );
    return WS2_RESULT_AS( "RIOCreateRequestQueue", handle, error,
                          "s=%#zx, receives=%lu, receive_buffers=%lu, sends=%lu, send_buffers=%lu, receive_queue=%p, "
                          "send_queue=%p, context=%p",
                          s, receives, receive_buffers, sends, send_buffers, (void *)receive_queue, (void *)send_queue,
                          context );
}

/* Both directions' locks are held. */
static int request_queue_resize( struct request_queue *queue, const UINT32 limits[DIRECTIONS] )
{
    UINT32 before[DIRECTIONS] = { queue->limit[RECEIVING], queue->limit[SENDING] };
    enum direction done;
    BOOL in_use;

    if ( !limits[RECEIVING] && !limits[SENDING] ) return WSAEINVAL;
    if ( limits[RECEIVING] > RIO_MAX_CQ_SIZE || limits[SENDING] > RIO_MAX_CQ_SIZE ) return WSAEINVAL;
    for ( done = 0; done < DIRECTIONS; done++ )
        if ( !registered_reserve_again( queue->ends[done], before[done], limits[done] ) ) break;
    if ( done == DIRECTIONS )
    {
        lock_exclusive( &queue->lock );
        in_use = queue->outstanding[RECEIVING] > limits[RECEIVING] || queue->outstanding[SENDING] > limits[SENDING];
        if ( !in_use ) memcpy( queue->limit, limits, sizeof( queue->limit ) );
        ReleaseSRWLockExclusive( &queue->lock );
        if ( !in_use ) return 0;
    }
    else in_use = FALSE;
    while ( done-- ) registered_reserve_again( queue->ends[done], limits[done], before[done] );
    return in_use ? WSAETOOMANYREFS : WSAENOBUFS;
}

/***********************************************************************
 *      RIOResizeRequestQueue
 */
BOOL WINAPI registered_resize_requests( RIO_RQ handle, DWORD receives, DWORD sends )
{
    struct request_queue *queue = registered_find( handle, REGISTERED_REQUESTS );
    int error = WSAEINVAL;

    if ( queue )
    {
        for ( enum direction i = 0; i < DIRECTIONS; i++ ) lock_exclusive( &queue->starting[i] );
        if ( is_named( queue, handle ) )
            error = request_queue_resize( queue, ( UINT32[DIRECTIONS] ){ receives, sends } );
        for ( enum direction i = 0; i < DIRECTIONS; i++ ) ReleaseSRWLockExclusive( &queue->starting[i] );
    }
    return WS2_RESULT_AS( "RIOResizeRequestQueue", !error, error, "queue=%p, receives=%lu, sends=%lu", (void *)handle,
                          receives, sends );
}

static struct request_queue *take_queue_of( SOCKET s )
{
    struct request_queue *queue, *volatile *link;

    lock_exclusive( &sockets_lock );
    for ( link = sockets_place( s ); ( queue = *link ) && queue->socket != s; ) link = &queue->next;
    if ( queue )
    {
        *link = queue->next;
        InterlockedDecrement( &open_queues );
    }
    ReleaseSRWLockExclusive( &sockets_lock );
    return queue;
}

void registered_closing( SOCKET s )
{
    struct registered_request *deferred[DIRECTIONS], *next;
    struct request_queue *queue;
    BOOL last;

    if ( !open_queues || !( queue = take_queue_of( s ) ) ) return;
    for ( enum direction i = 0; i < DIRECTIONS; i++ ) lock_exclusive( &queue->starting[i] );
    queue->open = FALSE;
    registered_hide( queue );
    for ( enum direction i = 0; i < DIRECTIONS; i++ )
    {
        deferred[i] = queue->deferred[i];
        queue->deferred[i] = NULL;
        ReleaseSRWLockExclusive( &queue->starting[i] );
    }
    for ( enum direction i = 0; i < DIRECTIONS; i++ )
        for ( ; deferred[i]; deferred[i] = next )
        {
            next = deferred[i]->next;
            end_request( deferred[i], WSA_OPERATION_ABORTED, 0, 0 );
        }
    lock_exclusive( &queue->lock );
    queue->gone = TRUE;
    last = is_idle( queue );
    ReleaseSRWLockExclusive( &queue->lock );
    if ( last ) request_queue_dispose( queue );
}
