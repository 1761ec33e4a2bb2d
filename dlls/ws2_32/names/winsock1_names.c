/* Winsock 1's look-ups, whose results lie in buffers of the calling thread. */
#include "base/ws2_32_private.h"
#include "names/loader_dlls.h"
#include "names/records.h"
#include "base/strings.h"
#include "base/thread_data.h"

/***********************************************************************
 *      gethostname   (WS2_32.57)
 */
int WINAPI gethostname( char *buffer, int size )
{
    char name[RESOLVER_HOSTNAME_SIZE];
    int error = names_started() ? resolver_hostname( name ) : WSANOTINITIALISED;

    if ( !error && ( !buffer || size <= (int)strlen( name ) ) ) error = WSAEFAULT;
    if ( !error ) error = ws2_write( buffer, name, strlen( name ) + 1 );
    return WS2_RESULT_OF( error, "buffer=%p size=%d", buffer, size );
}

/***********************************************************************
 *      GetHostNameW   (WS2_32.@)
 */
int WINAPI GetHostNameW( WCHAR *buffer, int size )
{
    char name[RESOLVER_HOSTNAME_SIZE];
    int error = names_started() ? resolver_hostname( name ) : WSANOTINITIALISED;
    WCHAR *wide = error ? NULL : string_wide( CP_UTF8, name );

    if ( !error && !wide ) error = WSA_NOT_ENOUGH_MEMORY;
    if ( !error && ( !buffer || size <= (int)wcslen( wide ) ) ) error = WSAEFAULT;
    if ( !error ) error = ws2_write( buffer, wide, ( wcslen( wide ) + 1 ) * sizeof( WCHAR ) );
    free( wide );
    return WS2_RESULT_OF( error, "buffer=%p size=%d", buffer, size );
}

static int host_to_thread( const struct resolver_answer *answer, int family, struct hostent **result )
{
    size_t size = record_host( answer, family, NULL, 0, 0 );
    struct thread_data *data = thread_data();
    char *block = data ? thread_buffer( &data->host, size ) : NULL;

    if ( !block ) return WSA_NOT_ENOUGH_MEMORY;
    record_host( answer, family, block, size, (UINT_PTR)block );
    *result = (struct hostent *)block;
    return 0;
}

/***********************************************************************
 *      gethostbyname   (WS2_32.52)
 */
struct hostent *WINAPI gethostbyname( const char *name )
{
    struct resolver_answer answer = { 0 };
    struct hostent *result = NULL;
    char *copy = NULL;
    int error = names_started() ? string_read( name, &copy ) : WSANOTINITIALISED;

    if ( !error ) error = record_find_host( copy, &answer );
    if ( !error ) error = host_to_thread( &answer, AF_INET, &result );
    resolver_free( &answer );
    WS2_RETURNS( __func__, TRACE_NUMBER, !!result, error, "name=%s", copy ? copy : "" );
    free( copy );
    SetLastError( error );
    return result;
}

/***********************************************************************
 *      gethostbyaddr   (WS2_32.51)
 */
struct hostent *WINAPI gethostbyaddr( const char *address, int length, int family )
{
    struct resolver_answer answer = { 0 };
    struct hostent *result = NULL;
    int error = names_started() ? record_find_host_by_address( address, length, family, &answer ) : WSANOTINITIALISED;

    if ( !error ) error = host_to_thread( &answer, family, &result );
    resolver_free( &answer );
    return WS2_RESULT( result, error, "address=%p length=%d family=%d", address, length, family );
}

static int find_service( const char *name, int port, const char *protocol, struct servent **result )
{
    struct thread_data *data = thread_data();
    struct netdb_entry entry;
    char *block;
    size_t size;
    int error;

    if ( ( error = record_find_service( name, port, protocol, &entry ) ) ) return error;
    size = record_service( &entry, NULL, 0, 0 );
    if ( !data || !( block = thread_buffer( &data->service, size ) ) ) return WSA_NOT_ENOUGH_MEMORY;
    record_service( &entry, block, size, (UINT_PTR)block );
    *result = (struct servent *)block;
    return 0;
}

/***********************************************************************
 *      getservbyname   (WS2_32.55)
 */
struct servent *WINAPI getservbyname( const char *name, const char *protocol )
{
    char *name_copy = NULL, *protocol_copy = NULL;
    struct servent *result = NULL;
    int error = ws2_started ? string_read( name, &name_copy ) : WSANOTINITIALISED;

    if ( !error && !name_copy ) error = WSAEFAULT;
    if ( !error ) error = string_read( protocol, &protocol_copy );
    if ( !error ) error = find_service( name_copy, 0, protocol_copy, &result );
    free( name_copy );
    free( protocol_copy );
    return WS2_RESULT( result, error, "name=%p protocol=%p", name, protocol );
}

/***********************************************************************
 *      getservbyport   (WS2_32.56)
 */
struct servent *WINAPI getservbyport( int port, const char *protocol )
{
    struct servent *result = NULL;
    char *copy = NULL;
    int error = ws2_started ? string_read( protocol, &copy ) : WSANOTINITIALISED;

    if ( !error ) error = find_service( NULL, port, copy, &result );
    free( copy );
    return WS2_RESULT( result, error, "port=%d protocol=%p", ntohs( port ), protocol );
}

static int find_protocol( const char *name, int number, struct protoent **result )
{
    struct thread_data *data = thread_data();
    struct netdb_entry entry;
    char *block;
    size_t size;
    int error;

    if ( ( error = record_find_protocol( name, number, &entry ) ) ) return error;
    size = record_protocol( &entry, NULL, 0, 0 );
    if ( !data || !( block = thread_buffer( &data->protocol, size ) ) ) return WSA_NOT_ENOUGH_MEMORY;
    record_protocol( &entry, block, size, (UINT_PTR)block );
    *result = (struct protoent *)block;
    return 0;
}

/***********************************************************************
 *      getprotobyname   (WS2_32.53)
 */
struct protoent *WINAPI getprotobyname( const char *name )
{
    struct protoent *result = NULL;
    char *copy = NULL;
    int error = ws2_started ? string_read( name, &copy ) : WSANOTINITIALISED;

    if ( !error && !copy ) error = WSAEFAULT;
    if ( !error ) error = find_protocol( copy, 0, &result );
    free( copy );
    return WS2_RESULT( result, error, "name=%p", name );
}

/***********************************************************************
 *      getprotobynumber   (WS2_32.54)
 */
struct protoent *WINAPI getprotobynumber( int number )
{
    struct protoent *result = NULL;
    int error = ws2_started ? find_protocol( NULL, number, &result ) : WSANOTINITIALISED;

    return WS2_RESULT( result, error, "number=%d", number );
}
