/* Time limits as ntdll has them: from now on, or until a date. */
#ifndef DEADLINE_H
#define DEADLINE_H

#include <winsock2.h>
#include <windows.h>

struct deadline
{
    const LARGE_INTEGER *timeout; /* NULL: for ever, and so is the longest */
    LONGLONG time;                /* 0 before the first look */
};
#define DEADLINE_NEVER ( -1 )

static inline LONGLONG deadline_now( void )
{
    static LARGE_INTEGER frequency;
    LARGE_INTEGER now;

    if ( !frequency.QuadPart ) QueryPerformanceFrequency( &frequency );
    QueryPerformanceCounter( &now );
    return now.QuadPart / frequency.QuadPart * 10000000 +
           now.QuadPart % frequency.QuadPart * 10000000 / frequency.QuadPart;
}

/* What is left, in 100 ns, or DEADLINE_NEVER. */
static inline LONGLONG deadline_left( struct deadline *deadline )
{
    LARGE_INTEGER date;
    LONGLONG left;

    if ( !deadline->timeout || deadline->timeout->QuadPart == INT64_MIN ) return DEADLINE_NEVER;
    if ( !deadline->timeout->QuadPart ) return 0;
    if ( !deadline->time )
    {
        left = -deadline->timeout->QuadPart;
        if ( left < 0 )
        {
            GetSystemTimeAsFileTime( (FILETIME *)&date );
            left = max( -left - date.QuadPart, 0 );
        }
        left = min( left, INT64_MAX / 2 );
        deadline->time = deadline_now() + left;
        return left;
    }
    left = deadline->time - deadline_now();
    return max( left, 0 );
}

#endif
