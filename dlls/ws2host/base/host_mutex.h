/*
 * A mutex that is held with all signals blocked: the loader ends threads by signals, and a mutex must not die locked. Where a
 * wait under the lock is out of the question, or a thread may die in it all the same, there are owner locks (owner_lock.h).
 *
 * The order in which the locks of the host half are taken; whoever holds one takes only such as stand below it:
 *
 *   0. the lock of sockets/helpers.c; where one of the others may be held it is only tried. The lock of
 *      operations/operation_outliving.c
 *   1. the queues' lock of one descriptor (descriptor.queues.lock, an owner lock); of a second one only an acceptor's, by who
 *      has its listener's
 *   2. the mutex of afd_poll.c, the mutex of notify.c, events.c's lock of the epoll, event_serving.c's of one event: only system
 *      calls under them, and 4
 *   3. leases.c's lock, or the mutex of connection.c, which is held while the server is asked: never both. Where one of the
 *      others is held, connection.c's is only tried (connection_replace)
 *   4. the locks of lists: what has ended, exclusive listeners, ports, the pool of descriptors, the windows of
 *      the table, the page of counts, the nodes kept by sockets/local_keep.c, the threads of operations/operation_threads.c; and
 *      those of one call in sockets/echo.c and sockets/datagram_send.c. Nothing is taken under them
 *
 * The making of an epoll or a socket has an owner lock of its own, under which io_loop_open's is taken. Nobody touches the
 * program's memory with a lock held: a fault there does not come back.
 */
#ifndef WS2HOST_HOST_MUTEX_H
#define WS2HOST_HOST_MUTEX_H

#include <pthread.h>
#include <signal.h>

/* The signals that were blocked before go to *before, for the unlocking. */
void host_mutex_lock( pthread_mutex_t *mutex, sigset_t *before );
void host_mutex_unlock( pthread_mutex_t *mutex, const sigset_t *before );
/* 0: somebody has it, and nothing has changed. */
int host_mutex_try( pthread_mutex_t *mutex, sigset_t *before );
/* For assertions: somebody holds it, the caller one hopes. */
int host_mutex_held( pthread_mutex_t *mutex );

/* The same around a section that takes an owner lock and must not be left in the middle. */
void host_signals_block( sigset_t *before );
void host_signals_restore( const sigset_t *before );

#endif
