/*
 * Copies of handles whose SOCKET has another host socket by now: an acceptor that AcceptEx has given a connection, a socket
 * that DisconnectEx made fit for use again.
 *
 * The loader's server keeps the host socket that a handle was made of, and nothing puts another in its place. Inside the
 * process the descriptor table knows better. Whoever gets a copy of the handle, by DuplicateHandle or by inheriting it, gets
 * one that is made anew. A copy in another process that is older than the connection keeps the host socket of its time.
 *
 * A child's copies are put right while it stands before its first instruction: its table of handles is quiet then, the server
 * gives the lowest free value, and so a handle that was closed can be made under the same value again.
 */
#include "base/ws2_32_private.h"
#include "hooks/replacement.h"
#include "base/nt_codes.h"

NTSTATUS NTAPI NtCompareObjects( HANDLE first, HANDLE second );
NTSTATUS NTAPI NtResumeThread( HANDLE thread, ULONG *count );

#define THREAD_CREATE_SUSPENDED 1

static HANDLE make_handle( int fd )
{
    struct ws2_fd_params params = { .fd = fd };
    void *handle = NULL;

    if ( ws2host_fd_to_handle( fd, 0, &handle ) ) handle = NULL;
    ws2_call( fd_close, &params );
    return handle;
}

HANDLE replacement_handle( HANDLE socket )
{
    struct ws2_socket_replaced_params params = { .handle = (UINT_PTR)socket & ~(UINT_PTR)3 };

    return ws2host_call( ws2_call_socket_replaced, &params ) || params.error ? NULL : make_handle( params.fd );
}

static ULONG attributes_of( HANDLE handle )
{
    struct
    {
        BOOLEAN inherited, protected;
    } flags = { 0 };

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

struct stale
{
    struct stale *next; /* of the next higher value */
    HANDLE handle;      /* here and in the child */
    HANDLE made_anew;   /* here */
    ULONG attributes;
};

/* Whether the child has the same object under the same value: what it did not inherit may be anything there. */
static BOOL is_inherited( HANDLE process, HANDLE handle )
{
    HANDLE copy;
    BOOL same;

    if ( nt_NtDuplicateObject( process, handle, GetCurrentProcess(), &copy, 0, 0, DUPLICATE_SAME_ACCESS ) )
        return FALSE;
    same = !NtCompareObjects( copy, handle );
    nt_NtClose( copy );
    return same;
}

static struct stale *list_stale( void )
{
    struct ws2_socket_replaced_params params = { .next = 1 };
    struct stale *first = NULL, **link = &first, *stale;

    while ( !ws2host_call( ws2_call_socket_replaced, &params ) && params.handle )
    {
        HANDLE made_anew = params.error ? NULL : make_handle( params.fd );

        if ( !made_anew ) continue;
        if ( !( stale = calloc( 1, sizeof( *stale ) ) ) )
        {
            nt_NtClose( made_anew );
            break;
        }
        stale->handle = (HANDLE)(UINT_PTR)params.handle;
        stale->made_anew = made_anew;
        stale->attributes = attributes_of( stale->handle );
        *link = stale;
        link = &stale->next;
    }
    return first;
}

/* Some loaders close in another process only what is copied from there. */
static void close_in( HANDLE process, HANDLE handle )
{
    HANDLE copy;

    if ( !nt_NtDuplicateObject( process, handle, GetCurrentProcess(), &copy, 0, 0,
                                DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE ) )
        nt_NtClose( copy );
}

/* Makes handles in the child until one has the value wanted; those below it, which were free, are filled meanwhile. */
static void make_under_same_value( HANDLE process, const struct stale *stale, HANDLE **fillers, unsigned int *count )
{
    HANDLE made, *more;

    while ( !nt_NtDuplicateObject( GetCurrentProcess(), stale->made_anew, process, &made, 0, stale->attributes,
                                   DUPLICATE_SAME_ACCESS ) )
    {
        if ( made == stale->handle ) return;
        if ( made < stale->handle && ( more = realloc( *fillers, ( *count + 1 ) * sizeof( *more ) ) ) )
        {
            *fillers = more;
            more[( *count )++] = made;
            continue;
        }
        close_in( process, made );
        break;
    }
    ws2_log( "the socket %p could not be made again in a child process", stale->handle );
}

static void put_right( HANDLE process, struct stale *list )
{
    HANDLE *fillers = NULL;
    unsigned int count = 0;

    for ( struct stale *stale = list; stale; stale = stale->next )
        if ( is_inherited( process, stale->handle ) ) close_in( process, stale->handle );
        else
        {
            nt_NtClose( stale->made_anew );
            stale->made_anew = NULL;
        }
    for ( struct stale *stale = list; stale; stale = stale->next )
        if ( stale->made_anew ) make_under_same_value( process, stale, &fillers, &count );
    while ( count-- ) close_in( process, fillers[count] );
    free( fillers );
}

NTSTATUS NTAPI hook_NtCreateUserProcess( HANDLE *process, HANDLE *thread, ACCESS_MASK process_access,
                                         ACCESS_MASK thread_access, void *process_attributes, void *thread_attributes,
                                         ULONG process_flags, ULONG thread_flags, void *parameters, void *info,
                                         void *attributes )
{
    struct stale *list = list_stale(), *stale;
    NTSTATUS status;

    status = nt_NtCreateUserProcess(
        process, thread, process_access, thread_access, process_attributes, thread_attributes, process_flags,
        list ? thread_flags | THREAD_CREATE_SUSPENDED : thread_flags, parameters, info, attributes );
    if ( !status && list )
    {
        put_right( *process, list );
        if ( !( thread_flags & THREAD_CREATE_SUSPENDED ) ) NtResumeThread( *thread, NULL );
    }
    while ( ( stale = list ) )
    {
        list = stale->next;
        if ( stale->made_anew ) nt_NtClose( stale->made_anew );
        free( stale );
    }
    return status;
}
