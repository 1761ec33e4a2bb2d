/* See thread_stat.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
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

int thread_is_gone( uint32_t thread )
{
    char text[THREAD_STAT_SIZE];
    const char *state;

    if ( syscall( SYS_tgkill, getpid(), thread, 0 ) < 0 && errno == ESRCH ) return 1;
    return thread == (uint32_t)getpid() && ( state = thread_stat( thread, text ) ) &&
           ( state[1] == 'Z' || state[1] == 'X' );
}
