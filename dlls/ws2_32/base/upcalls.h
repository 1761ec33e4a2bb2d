/*
 * The only ways up: what happens on the ground floor and is the affair of a higher one. The top floor fills the table in
 * before anything can happen (start/startup.c); a floor that is to be told of something else gets a line here and there.
 */
#ifndef UPCALLS_H
#define UPCALLS_H

#include <windows.h>

struct thread_data;

struct ws2_upcalls
{
    /* What the I/O thread runs until the process ends (start/io_thread.c). */
    void ( *io_thread )( void *unused );
    /* The calling thread ends; its data is freed afterwards. */
    void ( *thread_ends )( struct thread_data *data );
    /* Operations have ended in the host half: the program is to be told (overlapped/completion.c). The caller lets the host
     * half give them back, by ws2_results_write or a wait at a port. */
    void ( *operations_ended )( void );
    /* The socket is about to get another host socket: copies of its handle are made descriptors, that they get it too
     * (sockets/handle_copies.c). */
    void ( *adopt_copies )( UINT_PTR s );
    /* A socket is named by a path: files are looked at from now on (ntdll/hooks.h). Any number of times. */
    void ( *path_named )( void );
};
extern struct ws2_upcalls ws2_upcalls;

#endif
