/* See counts.h. */
#include "base/ws2_32_private.h"
#include "base/counts.h"

#define SHARED ( WS2_COUNT_LINES - 1 )

struct ws2_counts ws2_counts __attribute__( ( aligned( 4096 ) ) );

static LONG taken[SHARED]; /* lines that are a thread's own */

/* Keeps the last error. */
static struct thread_data *find_data( struct thread_data *data )
{
    const DWORD error = GetLastError();

    if ( !data ) data = thread_data();
    SetLastError( error );
    return data;
}

void count_call_shared( struct thread_data *data )
{
    atomic_fetch_add_explicit( &ws2_counts.lines[SHARED].values[WS2_COUNT_CALLS], 1, memory_order_relaxed );
    /* asked for at its first call only, and there is none for who has never needed data of its own */
    if ( ( data && data->lines_looked_at ) || !( data = find_data( data ) ) ) return;
    data->lines_looked_at = TRUE;
    for ( unsigned int i = WS2_COUNT_HOST_LINES; i < SHARED; i++ )
    {
        if ( taken[i] || InterlockedExchange( &taken[i], 1 ) ) continue;
        /* written by this thread alone, and read at any time */
        data->calls = (volatile UINT64 *)&ws2_counts.lines[i].values[WS2_COUNT_CALLS];
        return;
    }
}

void counts_thread_ends( struct thread_data *data )
{
    if ( !data->calls ) return;
    InterlockedExchange( &taken[(struct ws2_count_line *)data->calls - ws2_counts.lines], 0 );
    data->calls = NULL;
}
