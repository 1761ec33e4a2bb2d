/*
 * Copies of handles whose SOCKET has another host socket than they were made of: a stand-in of the pool (sockets/handle_pool.c), an
 * acceptor that AcceptEx has given a connection, a socket that DisconnectEx made fit for use again.
 *
 * The loader's server keeps the host socket that a handle was made of, and nothing puts another in its place. Inside the
 * process the descriptor table knows better. Whoever gets a copy of the handle, by DuplicateHandle or by inheriting it, gets
 * one that is made anew. A copy in another process that is older than the connection keeps the host socket of its time, as the
 * loader sees it; a descriptor there is given the other one when it is used next (operations/replacement.c of ws2host).
 *
 * A child's copies are put right while it stands before its first instruction: its table of handles is quiet then, the server
 * gives the lowest free value, and so a handle that was closed can be made under the same value again. For that the child
 * inherits stand-ins, which keep the values free for it. A child that is given a list of handles gets nothing else.
 */
#include "base/ws2_32_private.h"
#include "hooks/pull.h"
#include "hooks/replacement.h"
#include "sockets/handle_pool.h"
#include "base/nt_codes.h"

NTSTATUS NTAPI NtResumeThread( HANDLE thread, ULONG *count );
NTSTATUS NTAPI NtTerminateProcess( HANDLE process, LONG exit_status );

#define THREAD_CREATE_SUSPENDED 1

static HANDLE make_handle( int fd )
{
    void *handle = NULL;

    if ( ws2host_fd_to_handle( fd, 0, &handle ) ) handle = NULL;
    ws2_close_fd( fd );
    return handle;
}

/* A copy, ours, of the handle that a SOCKET with a stand-in keeps; NULL when it cannot be made. */
static HANDLE copy_real( HANDLE socket )
{
    struct ws2_socket_pooled_params params = { .handle = (UINT_PTR)socket & ~(UINT_PTR)3 };
    HANDLE real = handle_pool_real( socket ), copy;

    if ( !real ||
         nt_NtDuplicateObject( GetCurrentProcess(), real, GetCurrentProcess(), &copy, 0, 0, DUPLICATE_SAME_ACCESS ) )
        return NULL;
    /* closed by another thread meanwhile, the value may have been another object's */
    if ( !ws2host_call( ws2_call_socket_pooled, &params ) && params.pooled && params.real == (UINT_PTR)real )
        return copy;
    nt_NtClose( copy );
    return NULL;
}

BOOL replacement_handle( HANDLE socket, HANDLE *handle )
{
    struct ws2_socket_replaced_params params = { .handle = (UINT_PTR)socket & ~(UINT_PTR)3 };

    if ( handle_pool_has( socket, NULL ) )
    {
        *handle = copy_real( socket );
        return TRUE;
    }
    if ( ws2host_call( ws2_call_socket_replaced, &params ) || params.error == WSAEINVAL || params.error == WSAENOTSOCK )
        return FALSE;
    *handle = params.error ? NULL : make_handle( params.fd );
    return TRUE;
}

static ULONG attributes_of( HANDLE handle )
{
    struct
    {
        BOOLEAN inherited, protected;
    } flags = { 0 };

    BOOL inherited;

    if ( handle_pool_has( handle, &inherited ) ) return inherited ? OBJ_INHERIT : 0;
    nt_NtQueryObject( handle, OBJECT_DATA_INFORMATION, &flags, sizeof( flags ), NULL );
    return flags.inherited ? OBJ_INHERIT : 0;
}

NTSTATUS replacement_duplicate( HANDLE handle, HANDLE socket, HANDLE target_process, HANDLE *target, ACCESS_MASK access,
                                ULONG attributes, ULONG options )
{
    NTSTATUS status;

    if ( options & DUPLICATE_SAME_ATTRIBUTES )
    {
        attributes = attributes_of( socket );
        options &= ~DUPLICATE_SAME_ATTRIBUTES;
    }
    status = nt_NtDuplicateObject( GetCurrentProcess(), handle, target_process, target, access, attributes,
                                   options & ~DUPLICATE_CLOSE_SOURCE );
    nt_NtClose( handle );
    return status;
}

/* --- what a child inherits --------------------------------------------------------------------------------------------*/

/* The process parameters as far as they matter here, and the attributes of NtCreateUserProcess; of the program's width. */
struct process_parameters
{
    ULONG sizes[4];
    HANDLE console;
    ULONG console_flags;
    HANDLE standard[3];
};

struct process_attribute
{
    ULONG_PTR attribute;
    SIZE_T size;
    union
    {
        const HANDLE *handles;
        WCHAR *path;
    } value;
    SIZE_T *returned;
};

struct process_attributes
{
    SIZE_T size;
    struct process_attribute list[];
};

#define PROCESS_INHERITS_HANDLES 4
#define PROCESS_ATTRIBUTE_IMAGE 0x20005 /* value: the path, size: its bytes */
#define PROCESS_ATTRIBUTE_HANDLES 0x20003

/* What a child can have: of all handles that are inherited, those of a list. NULL: all. */
struct heirloom
{
    const HANDLE *list;
    SIZE_T count;
    const HANDLE *standard; /* with a list, these besides; may be NULL */
};

static const struct process_attribute *find_attribute( const struct process_attributes *attributes,
                                                       ULONG_PTR attribute )
{
    const SIZE_T count = attributes ? ( attributes->size - sizeof( *attributes ) ) / sizeof( attributes->list[0] ) : 0;

    for ( SIZE_T i = 0; i < count; i++ )
        if ( attributes->list[i].attribute == attribute ) return &attributes->list[i];
    return NULL;
}

static struct heirloom heirloom_of( const struct process_parameters *parameters,
                                    const struct process_attributes *attributes )
{
    const struct process_attribute *list = find_attribute( attributes, PROCESS_ATTRIBUTE_HANDLES );
    struct heirloom result = { NULL, 0, parameters ? parameters->standard : NULL };

    if ( list )
    {
        result.list = list->value.handles;
        result.count = list->size / sizeof( HANDLE );
    }
    return result;
}

/* A program of the host is given descriptors of its standard handles, whether it inherits or not, and nothing else. */
static BOOL is_of_host( const struct process_attributes *attributes )
{
    const struct process_attribute *image = find_attribute( attributes, PROCESS_ATTRIBUTE_IMAGE );
    OBJECT_ATTRIBUTES object = { .Length = sizeof( object ) };
    LARGE_INTEGER beginning = { .QuadPart = 0 };
    IO_STATUS_BLOCK iosb;
    UNICODE_STRING path;
    char mark[4] = "";
    HANDLE file;

    if ( !image ) return FALSE;
    path = ( UNICODE_STRING ){ image->size, image->size, image->value.path };
    object.ObjectName = &path;
    object.Attributes = OBJ_CASE_INSENSITIVE;
    if ( nt_NtOpenFile( &file, GENERIC_READ | SYNCHRONIZE, &object, &iosb, FILE_SHARE_READ | FILE_SHARE_DELETE,
                        FILE_SYNCHRONOUS_IO_NONALERT ) )
        return FALSE;
    if ( nt_NtReadFile( file, NULL, NULL, NULL, &iosb, mark, sizeof( mark ), &beginning, NULL ) ) mark[0] = 0;
    nt_NtClose( file );
    return !memcmp( mark,
                    "\x7f"
                    "ELF",
                    sizeof( mark ) ) ||
           !memcmp( mark, "#!", 2 );
}

static BOOL is_same( HANDLE first, HANDLE second ) { return (UINT_PTR)first >> 2 == (UINT_PTR)second >> 2; }

static BOOL may_have( const struct heirloom *heirloom, HANDLE handle )
{
    if ( !heirloom->list ) return TRUE;
    for ( SIZE_T i = 0; i < heirloom->count; i++ )
        if ( is_same( heirloom->list[i], handle ) ) return TRUE;
    for ( unsigned int i = 0; heirloom->standard && i < 3; i++ )
        if ( is_same( heirloom->standard[i], handle ) ) return TRUE;
    return FALSE;
}

struct stale
{
    struct stale *next; /* of the next higher value */
    HANDLE handle;      /* here and in the child */
    HANDLE real;        /* here, of the host socket that it has now */
    ULONG attributes;
    BOOL pooled;   /* a stand-in */
    BOOL reserved; /* the child inherits it, which keeps the value free for what comes in its place */
    BOOL missing;  /* the child has not inherited it, and shall not */
};

/* Whether the child has the same object under the same value: what it did not inherit may be anything there. */
static BOOL is_inherited( HANDLE process, const struct stale *stale )
{
    HANDLE copy;
    BOOL same;

    if ( stale->pooled ) return TRUE;
    if ( nt_NtDuplicateObject( process, stale->handle, GetCurrentProcess(), &copy, 0, 0, DUPLICATE_SAME_ACCESS ) )
        return FALSE;
    same = !nt_NtCompareObjects( copy, stale->handle );
    nt_NtClose( copy );
    return same;
}

/* To the loader a stand-in is inherited by nobody, but for the time that a child is being made. */
static void mark_inherited( HANDLE handle, BOOLEAN inherited )
{
    struct object_handle_flags flags = { inherited, FALSE };
    struct ws2_socket_pooled_params params = { .handle = (UINT_PTR)handle };

    if ( ws2host_call( ws2_call_socket_pooled, &params ) || params.marked ) return;
    /* closed meanwhile, it is the pool's still */
    if ( !params.pooled && !hooks_is_free( handle ) ) return;
    nt_NtSetInformationObject( handle, OBJECT_DATA_INFORMATION, &flags, sizeof( flags ) );
}

static struct stale *describe( const struct ws2_socket_replaced_params *params )
{
    struct stale *stale = calloc( 1, sizeof( *stale ) );

    if ( !stale ) return NULL;
    stale->handle = (HANDLE)(UINT_PTR)params->handle;
    stale->pooled = params->pooled;
    stale->real = params->pooled ? handle_pool_real( stale->handle ) : make_handle( params->fd );
    if ( !stale->real )
    {
        free( stale );
        return NULL;
    }
    stale->attributes = params->pooled ? OBJ_INHERIT : attributes_of( stale->handle );
    return stale;
}

static struct stale *list_stale( const struct heirloom *heirloom )
{
    struct ws2_socket_replaced_params params = { .next = 1 };
    struct stale *first = NULL, **link = &first;

    while ( !ws2host_call( ws2_call_socket_replaced, &params ) && params.handle )
    {
        const BOOL wanted = !params.error && may_have( heirloom, (HANDLE)(UINT_PTR)params.handle );

        if ( !wanted || params.pooled ) ws2_close_fd( params.fd );
        if ( wanted && ( *link = describe( &params ) ) ) link = &( *link )->next;
    }
    return first;
}

/* A value is reserved by a handle that the child inherits and that is closed there, which takes the loader some ten
 * conversations. It is done without where there are fewer free values below the sockets' than sockets: those are filled for
 * the moment instead. */
static void reserve( struct stale *list, BOOL all )
{
    UINT_PTR count = 0, last = 0;

    for ( struct stale *stale = list; stale; stale = stale->next )
    {
        if ( !stale->pooled ) continue;
        count++;
        last = (UINT_PTR)stale->handle >> 2;
    }
    if ( !all && last - count < count ) return;
    for ( struct stale *stale = list; stale; stale = stale->next )
    {
        if ( !stale->pooled || stale->reserved ) continue;
        mark_inherited( stale->handle, TRUE );
        stale->reserved = TRUE;
    }
}

/* Makes handles in the child until one has the value wanted; those below it, which were free, are filled meanwhile. FALSE: the
 * value is taken. */
static BOOL make_under_same_value( HANDLE process, const struct stale *stale, HANDLE **fillers, unsigned int *count )
{
    HANDLE made, *more;

    while ( !nt_NtDuplicateObject( GetCurrentProcess(), stale->real, process, &made, 0, stale->attributes,
                                   DUPLICATE_SAME_ACCESS ) )
    {
        if ( made == stale->handle ) return TRUE;
        if ( made < stale->handle && ( more = realloc( *fillers, ( *count + 1 ) * sizeof( *more ) ) ) )
        {
            *fillers = more;
            more[( *count )++] = made;
            continue;
        }
        pull_close_in( process, made );
        break;
    }
    return FALSE;
}

/* FALSE: the child has something else under a value that was not reserved. */
static BOOL put_right( HANDLE process, struct stale *list )
{
    HANDLE *fillers = NULL;
    unsigned int count = 0;
    BOOL done = TRUE;

    for ( struct stale *stale = list; stale; stale = stale->next )
        if ( stale->reserved || !stale->pooled )
            stale->missing = !is_inherited( process, stale ) || !pull_close_in( process, stale->handle );
    for ( struct stale *stale = list; done && stale; stale = stale->next )
    {
        if ( stale->missing || make_under_same_value( process, stale, &fillers, &count ) ) continue;
        done = stale->reserved || !stale->pooled;
        if ( done ) ws2_log( "the socket %p could not be made again in a child process", stale->handle );
    }
    while ( done && count ) pull_close_in( process, fillers[--count] );
    free( fillers );
    return done;
}

static void free_stale( struct stale *list )
{
    struct stale *stale;

    while ( ( stale = list ) )
    {
        list = stale->next;
        if ( stale->reserved ) mark_inherited( stale->handle, FALSE );
        if ( !stale->pooled ) nt_NtClose( stale->real );
        free( stale );
    }
}

static BOOL has_standard( const struct process_parameters *parameters )
{
    for ( unsigned int i = 0; parameters && i < 3; i++ )
        if ( hooks_is_socket( parameters->standard[i] ) ) return TRUE;
    return FALSE;
}

/* The standard handles of a child that inherits no others the loader's server copies from the parent's. */
static void put_standard( struct process_parameters *parameters, HANDLE before[3], HANDLE copies[3] )
{
    for ( unsigned int i = 0; i < 3; i++ )
    {
        before[i] = parameters->standard[i];
        if ( !hooks_is_socket( before[i] ) || !replacement_handle( before[i], &copies[i] ) ) copies[i] = NULL;
        if ( copies[i] ) parameters->standard[i] = copies[i];
    }
}

static void take_standard( struct process_parameters *parameters, HANDLE before[3], HANDLE copies[3] )
{
    for ( unsigned int i = 0; i < 3; i++ )
    {
        parameters->standard[i] = before[i];
        if ( copies[i] ) nt_NtClose( copies[i] );
    }
}

/* One that has not run an instruction, for another to take its place. */
static void end_child( HANDLE process, HANDLE thread )
{
    NtTerminateProcess( process, 0 );
    nt_NtClose( process );
    nt_NtClose( thread );
}

NTSTATUS NTAPI hook_NtCreateUserProcess( HANDLE *process, HANDLE *thread, ACCESS_MASK process_access,
                                         ACCESS_MASK thread_access, void *process_attributes, void *thread_attributes,
                                         ULONG process_flags, ULONG thread_flags, void *parameters, void *info,
                                         void *attributes )
{
    const struct heirloom heirloom = heirloom_of( parameters, attributes );
    const BOOL standard = has_standard( parameters );
    /* what is put right later is nothing that a program of the host has */
    const BOOL inherits = ( process_flags & PROCESS_INHERITS_HANDLES ) && !( standard && is_of_host( attributes ) );
    HANDLE before[3], copies[3];
    struct stale *list = NULL;
    NTSTATUS status;

    if ( inherits && !heirloom.list ) handle_pool_inherited();
    handle_pool_hold( TRUE );
    if ( inherits ) list = list_stale( &heirloom );
    else if ( standard ) put_standard( parameters, before, copies );
    for ( BOOL all = FALSE, done = FALSE; !done; all = TRUE )
    {
        reserve( list, all );
        status = nt_NtCreateUserProcess(
            process, thread, process_access, thread_access, process_attributes, thread_attributes, process_flags,
            list ? thread_flags | THREAD_CREATE_SUSPENDED : thread_flags, parameters, info, attributes );
        done = status || !list || put_right( *process, list );
        if ( !done ) end_child( *process, *thread );
    }
    if ( !inherits && standard ) take_standard( parameters, before, copies );
    if ( !status && list && !( thread_flags & THREAD_CREATE_SUSPENDED ) ) NtResumeThread( *thread, NULL );
    free_stale( list );
    handle_pool_hold( FALSE );
    return status;
}
