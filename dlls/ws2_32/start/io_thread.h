/* The I/O thread (io_thread.c), for start-up, which hands it to the ground floor. */
#ifndef IO_THREAD_H
#define IO_THREAD_H

void io_thread( void *unused );

#endif
