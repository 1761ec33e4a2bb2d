/*
 * Registered buffers: a range of the program's memory under a number. Registering touches nothing and keeps nothing in
 * memory; a buffer that is deregistered while requests use it is theirs until they end.
 */
#include "registered/registered.h"

struct buffer
{
    struct registered_object object;
    char *volatile memory;
    volatile DWORD size;
};

/* Whether all of it may be read now. */
static BOOL is_memory( const char *memory, DWORD size )
{
    const char *end = memory + size;
    MEMORY_BASIC_INFORMATION info;

    if ( end < memory ) return FALSE;
    while ( memory < end )
    {
        if ( !VirtualQuery( memory, &info, sizeof( info ) ) || info.State != MEM_COMMIT ||
             ( info.Protect & ( PAGE_NOACCESS | PAGE_GUARD ) ) )
            return FALSE;
        memory = (const char *)info.BaseAddress + info.RegionSize;
    }
    return TRUE;
}

RIO_BUFFERID WINAPI registered_register_buffer( PCHAR memory, DWORD size )
{
    RIO_BUFFERID id = RIO_INVALID_BUFFERID;
    struct buffer *buffer = NULL;
    int error = 0;

    WS2_REQUIRE_STARTUP( RIO_INVALID_BUFFERID );
    if ( !memory ) error = WSAEFAULT;
    else if ( !size ) error = WSAEINVAL;
    else if ( !is_memory( memory, size ) ) error = WSAEFAULT;
    else if ( !( buffer = registered_create( REGISTERED_BUFFER, sizeof( *buffer ) ) ) ) error = WSAENOBUFS;
    else
    {
        buffer->memory = memory;
        buffer->size = size;
        id = registered_publish( buffer );
    }
    return WS2_RESULT_AS( "RIORegisterBuffer", id, error, "memory=%p, size=%lu", memory, size );
}

void WINAPI registered_deregister_buffer( RIO_BUFFERID id )
{
    struct buffer *buffer = registered_find( id, REGISTERED_BUFFER );

    /* of two threads that deregister it, one does */
    if ( buffer &&
         InterlockedCompareExchange( (LONG *)&buffer->object.id, 0, (LONG)(UINT_PTR)id ) == (LONG)(UINT_PTR)id )
        registered_free( REGISTERED_BUFFER, buffer );
    WS2_RETURNS( "RIODeregisterBuffer", TRACE_NUMBER, 0, 0, "id=%p", (void *)id );
}

int registered_segment( const RIO_BUF *user, struct registered_segment *segment )
{
    struct buffer *buffer;
    RIO_BUF copy;
    DWORD size;

    segment->memory = NULL;
    segment->size = 0;
    if ( !user ) return 0;
    if ( ws2_read( &copy, user, sizeof( copy ) ) ) return WSAEFAULT;
    if ( !( buffer = registered_find( copy.BufferId, REGISTERED_BUFFER ) ) ) return WSAEINVAL;
    segment->memory = buffer->memory + copy.Offset;
    segment->size = copy.Length;
    size = buffer->size;
    /* it was that buffer all the while */
    MemoryBarrier();
    if ( registered_find( copy.BufferId, REGISTERED_BUFFER ) != buffer ) return WSAEINVAL;
    return (UINT64)copy.Offset + copy.Length > size ? WSAEINVAL : 0;
}
