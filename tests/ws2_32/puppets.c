/* Child processes, and puppets, which make Winsock calls when they are told to; see puppets.h. */
#include "puppets.h"

static LONG puppet_count;

const char *child_program( void )
{
    static char name[MAX_PATH];
    char **argv;

    if ( GetEnvironmentVariableA( "WINETEST_CHILD", name, sizeof( name ) ) ) return name;
    winetest_get_mainargs( &argv );
    return argv[0];
}

HANDLE run_child( const char *arguments, HANDLE in, HANDLE out, DWORD flags, HANDLE *thread )
{
    STARTUPINFOA startup = { .cb = sizeof( startup ), .dwFlags = STARTF_USESTDHANDLES };
    PROCESS_INFORMATION process = { 0 };
    char command[1024], **argv;

    winetest_get_mainargs( &argv );
    snprintf( command, sizeof( command ), "\"%s\" %s %s", child_program(), argv[1], arguments );
    startup.hStdInput = in ? in : GetStdHandle( STD_INPUT_HANDLE );
    startup.hStdOutput = out ? out : GetStdHandle( STD_OUTPUT_HANDLE );
    startup.hStdError = GetStdHandle( STD_ERROR_HANDLE );
    ok( CreateProcessA( NULL, command, NULL, NULL, TRUE, flags, NULL, NULL, &startup, &process ),
        "CreateProcess failed, error %lu\n", GetLastError() );
    if ( thread ) *thread = process.hThread;
    else CloseHandle( process.hThread );
    return process.hProcess;
}

static void puppet_names( const char *name, char mapping[64], char request[64], char reply[64] )
{
    snprintf( mapping, 64, "ws2-test-%s-mapping", name );
    snprintf( request, 64, "ws2-test-%s-request", name );
    snprintf( reply, 64, "ws2-test-%s-reply", name );
}

void puppet_create( struct puppet *puppet, unsigned int flags )
{
    STARTUPINFOA startup = { .cb = sizeof( startup ) };
    PROCESS_INFORMATION process = { 0 };
    char command[1024], name[32], mapping[64], request[64], reply[64], **argv;

    snprintf( name, sizeof( name ), "%lx-%lx", GetCurrentProcessId(), InterlockedIncrement( &puppet_count ) );
    puppet_names( name, mapping, request, reply );
    memset( puppet, 0, sizeof( *puppet ) );
    puppet->mapping =
        CreateFileMappingA( INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, sizeof( struct puppet_message ), mapping );
    puppet->message = MapViewOfFile( puppet->mapping, FILE_MAP_WRITE, 0, 0, 0 );
    puppet->request = CreateEventA( NULL, FALSE, FALSE, request );
    puppet->reply = CreateEventA( NULL, FALSE, FALSE, reply );
    winetest_get_mainargs( &argv );
    snprintf( command, sizeof( command ), "\"%s\" %s puppet %s %s", child_program(), argv[1], name,
              flags & PUPPET_BARE ? "bare" : "started" );
    ok( CreateProcessA( NULL, command, NULL, NULL, !!( flags & PUPPET_INHERITS ),
                        flags & PUPPET_SUSPENDED ? CREATE_SUSPENDED : 0, NULL, NULL, &startup, &process ),
        "CreateProcess failed, error %lu\n", GetLastError() );
    puppet->process = process.hProcess;
    puppet->thread = process.hThread;
    puppet->pid = process.dwProcessId;
}

void puppet_resume( struct puppet *puppet ) { ResumeThread( puppet->thread ); }

static void puppet_release( struct puppet *puppet )
{
    UnmapViewOfFile( puppet->message );
    CloseHandle( puppet->mapping );
    CloseHandle( puppet->request );
    CloseHandle( puppet->reply );
    CloseHandle( puppet->process );
    CloseHandle( puppet->thread );
}

void puppet_kill( struct puppet *puppet )
{
    TerminateProcess( puppet->process, 0 );
    ok( !WaitForSingleObject( puppet->process, 20000 ), "the child did not end\n" );
    puppet_release( puppet );
}

void puppet_destroy( struct puppet *puppet )
{
    DWORD code;

    puppet->message->call = PUPPET_EXIT;
    SetEvent( puppet->request );
    if ( WaitForSingleObject( puppet->process, 20000 ) )
    {
        ok( 0, "the child did not end\n" );
        TerminateProcess( puppet->process, 1 );
    }
    else
    {
        GetExitCodeProcess( puppet->process, &code );
        ok( !code, "the child ended with %#lx\n", code );
    }
    puppet_release( puppet );
}

LONGLONG puppet_do( struct puppet *puppet, enum puppet_call call )
{
    HANDLE handles[2] = { puppet->reply, puppet->process };
    DWORD wait;

    puppet->message->call = call;
    SetEvent( puppet->request );
    wait = WaitForMultipleObjects( 2, handles, FALSE, 30000 );
    if ( wait )
    {
        ok( 0, "call %d of the child: %s\n", call, wait == WAIT_OBJECT_0 + 1 ? "it died" : "no answer within 30 s" );
        WSASetLastError( WSASYSCALLFAILURE );
        return -1;
    }
    WSASetLastError( puppet->message->error );
    return puppet->message->result;
}

LONGLONG puppet_do_on( struct puppet *puppet, enum puppet_call call, SOCKET s )
{
    puppet->message->s = s;
    return puppet_do( puppet, call );
}

SOCKET puppet_open_a( struct puppet *puppet, const WSAPROTOCOL_INFOA *info, DWORD flags )
{
    struct puppet_message *message = puppet->message;

    message->family = message->type = message->protocol = FROM_PROTOCOL_INFO;
    message->info_a = *info;
    message->flags = flags;
    return puppet_do( puppet, PUPPET_OPEN_A );
}

SOCKET puppet_open_w( struct puppet *puppet, const WSAPROTOCOL_INFOW *info, DWORD flags )
{
    struct puppet_message *message = puppet->message;

    message->family = message->type = message->protocol = FROM_PROTOCOL_INFO;
    message->info_w = *info;
    message->flags = flags;
    return puppet_do( puppet, PUPPET_OPEN_W );
}

int puppet_send_( struct puppet *puppet, SOCKET s, const char *text, int length )
{
    memcpy( puppet->message->data, text, length );
    puppet->message->length = length;
    return puppet_do_on( puppet, PUPPET_SEND, s );
}

/* The puppet's one AcceptEx. */
static struct
{
    SOCKET acceptor;
    OVERLAPPED ov;
    char buffer[2 * ( sizeof( struct sockaddr_in ) + 16 )];
} accepting;

/* The one overlapped receive that a puppet has pending. */
static struct
{
    OVERLAPPED ov;
    char data[sizeof( ( (struct puppet_message *)0 )->data )];
} receiving;

static LONGLONG puppet_recv_ex( SOCKET s, DWORD size )
{
    WSABUF buffer = { size, receiving.data };
    DWORD flags = 0;

    memset( &receiving, 0, sizeof( receiving ) );
    receiving.ov.hEvent = CreateEventW( NULL, TRUE, FALSE, NULL );
    return WSARecv( s, &buffer, 1, NULL, &flags, &receiving.ov, NULL ) && WSAGetLastError() == WSA_IO_PENDING;
}

static LONGLONG puppet_received( struct puppet_message *message )
{
    if ( WaitForSingleObject( receiving.ov.hEvent, message->value ) ) return -2;
    CloseHandle( receiving.ov.hEvent );
    memcpy( message->data, receiving.data, sizeof( message->data ) );
    message->option = receiving.ov.Internal;
    return receiving.ov.Internal ? -1 : (LONGLONG)receiving.ov.InternalHigh;
}

static LONGLONG puppet_accept_ex( SOCKET s )
{
    const DWORD slot = sizeof( struct sockaddr_in ) + 16;
    GUID guid = WSAID_ACCEPTEX;
    LPFN_ACCEPTEX accept_ex;
    DWORD size;

    if ( WSAIoctl( s, SIO_GET_EXTENSION_FUNCTION_POINTER, &guid, sizeof( guid ), &accept_ex, sizeof( accept_ex ), &size,
                   NULL, NULL ) )
        return 0;
    memset( &accepting, 0, sizeof( accepting ) );
    accepting.acceptor = socket( AF_INET, SOCK_STREAM, 0 );
    accepting.ov.hEvent = CreateEventW( NULL, TRUE, FALSE, NULL );
    return !accept_ex( s, accepting.acceptor, accepting.buffer, 0, slot, slot, &size, &accepting.ov ) &&
           WSAGetLastError() == ERROR_IO_PENDING;
}

static LONGLONG puppet_accepted( DWORD milliseconds )
{
    if ( WaitForSingleObject( accepting.ov.hEvent, milliseconds ) || accepting.ov.Internal ) return 0;
    return accepting.acceptor;
}

static LONGLONG puppet_post( DWORD pid, HANDLE port )
{
    HANDLE process = OpenProcess( PROCESS_DUP_HANDLE, FALSE, pid ), ours = NULL;
    BOOL done = DuplicateHandle( process, port, GetCurrentProcess(), &ours, 0, FALSE, DUPLICATE_SAME_ACCESS ) &&
                PostQueuedCompletionStatus( ours, 0, 42, NULL );

    CloseHandle( ours );
    CloseHandle( process );
    return done;
}

static LONGLONG puppet_perform( struct puppet_message *message, HANDLE event )
{
    int length = message->address.any.sa_family == AF_INET6  ? sizeof( struct sockaddr_in6 )
                 : message->address.any.sa_family == AF_UNIX ? 110 /* SOCKADDR_UN */
                                                             : sizeof( struct sockaddr_in );
    WSANETWORKEVENTS events = { 0 };
    LONGLONG result;
    WSADATA data;

    switch ( message->call )
    {
    case PUPPET_STARTUP: return WSAStartup( MAKEWORD( 2, 2 ), &data );
    case PUPPET_CLEANUP: return WSACleanup();
    case PUPPET_OPEN_A:
        return (INT_PTR)WSASocketA( message->family, message->type, message->protocol, &message->info_a, 0,
                                    message->flags );
    case PUPPET_OPEN_W:
        return (INT_PTR)WSASocketW( message->family, message->type, message->protocol, &message->info_w, 0,
                                    message->flags );
    case PUPPET_NEW:
        return (INT_PTR)WSASocketW( message->family, message->type, message->protocol, NULL, 0, message->flags );
    case PUPPET_DUPLICATE: return WSADuplicateSocketA( message->s, message->pid, &message->info_a );
    case PUPPET_CLOSE: return closesocket( message->s );
    case PUPPET_SEND: return send( message->s, message->data, message->length, 0 );
    case PUPPET_RECV: return recv( message->s, message->data, sizeof( message->data ), 0 );
    case PUPPET_ACCEPT: return (INT_PTR)accept( message->s, NULL, NULL );
    case PUPPET_ACCEPT_EX: return puppet_accept_ex( message->s );
    case PUPPET_ACCEPTED: return puppet_accepted( message->value );
    case PUPPET_RECV_EX: return puppet_recv_ex( message->s, message->value );
    case PUPPET_RECEIVED: return puppet_received( message );
    case PUPPET_CONNECT: return connect( message->s, &message->address.any, length );
    case PUPPET_BIND: return bind( message->s, &message->address.any, length );
    case PUPPET_SHUTDOWN: return shutdown( message->s, message->value );
    case PUPPET_GETSOCKOPT:
        return getsockopt( message->s, message->level, message->option, message->data, &message->length );
    case PUPPET_SETSOCKOPT:
        return setsockopt( message->s, message->level, message->option, message->data, message->length );
    case PUPPET_IOCTL: return ioctlsocket( message->s, message->option, (u_long *)&message->value );
    case PUPPET_EVENT_SELECT: return WSAEventSelect( message->s, message->value ? event : NULL, message->value );
    case PUPPET_WAIT_EVENT: return WaitForSingleObject( event, message->value ) == WAIT_OBJECT_0;
    case PUPPET_ENUM_EVENTS:
        result = WSAEnumNetworkEvents( message->s, event, &events );
        message->value = events.lNetworkEvents;
        return result;
    case PUPPET_GETPEERNAME:
        message->length = sizeof( message->address );
        return getpeername( message->s, &message->address.any, &message->length );
    case PUPPET_GETSOCKNAME:
        message->length = sizeof( message->address );
        return getsockname( message->s, &message->address.any, &message->length );
    case PUPPET_HANDLE_FLAGS: return GetHandleInformation( (HANDLE)(ULONG_PTR)message->s, &message->value );
    case PUPPET_POST: return puppet_post( message->value, (HANDLE)(ULONG_PTR)message->s );
    case PUPPET_ASSOCIATE: return CreateIoCompletionPort( (HANDLE)(ULONG_PTR)message->s, NULL, 0, 0 ) != NULL;
    case PUPPET_EXIT: ExitProcess( 0 );
    }
    return -1;
}

/* A puppet whose parent is gone gives up by itself. */
void puppet_main( const char *name, BOOL started )
{
    char mapping[64], request_name[64], reply_name[64];
    struct puppet_message *message;
    HANDLE request, reply, event = CreateEventA( NULL, TRUE, FALSE, NULL );
    WSADATA data;

    puppet_names( name, mapping, request_name, reply_name );
    message = MapViewOfFile( OpenFileMappingA( FILE_MAP_WRITE, FALSE, mapping ), FILE_MAP_WRITE, 0, 0, 0 );
    request = OpenEventA( SYNCHRONIZE, FALSE, request_name );
    reply = OpenEventA( EVENT_MODIFY_STATE, FALSE, reply_name );
    if ( !message || !request || !reply ) ExitProcess( 100 );
    if ( started && WSAStartup( MAKEWORD( 2, 2 ), &data ) ) ExitProcess( 101 );
    while ( !WaitForSingleObject( request, 60000 ) )
    {
        WSASetLastError( ERROR_UNTOUCHED );
        message->result = puppet_perform( message, event );
        message->error = WSAGetLastError();
        SetEvent( reply );
    }
    ExitProcess( 102 );
}
