/* See thread_stat.h. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/thread_stat.h"

char *thread_stat( uint32_t thread, char text[THREAD_STAT_SIZE] )
{
    char path[64], *name_end;
    ssize_t size;
    int fd;

    snprintf( path, sizeof( path ), "/proc/self/task/%u/stat", thread );
    if ( ( fd = open( path, O_RDONLY | O_CLOEXEC ) ) < 0 ) return NULL;
    size = read( fd, text, THREAD_STAT_SIZE - 1 );
    close( fd );
    if ( size <= 0 ) return NULL;
    text[size] = 0;
    /* the second field is the name in parentheses, which may hold anything */
    name_end = strrchr( text, ')' );
    return name_end ? name_end + 1 : NULL;
}
