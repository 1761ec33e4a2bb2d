/*
 * Urgent bytes (MSG_OOB). On Windows they are a queue beside the stream: ordinary receives never meet them, FIONREAD does not
 * count them, and they wait, in order, for MSG_OOB. The host knows one mark in its stream, gives up an older byte to the
 * stream when a newer comes, and forgets a byte that is read past.
 *
 * So whoever is about to look at a watched socket takes the urgent byte out first: what lies before the mark is read into
 * memory of the process (which ordinary receives get first), then the byte. Both are kept in a memory file, from which the
 * host copies to the program's buffers and says EFAULT where it cannot. The host's SO_OOBINLINE is on meanwhile, so that no
 * byte is skipped; the program's is a flag of the slot.
 *
 * Watched is a descriptor that was seen with an urgent byte, whose program asked for one or for the mark, or whose peer is a
 * process of the prefix that has sent one: senders leave a hint in the table. All others pay a look at one word. A socket
 * that several processes have is not watched: there the host's way shows. Any thread; a lock per store.
 */
#ifndef WS2HOST_URGENT_H
#define WS2HOST_URGENT_H

#include <sys/types.h>
#include <sys/uio.h>
#include "client/connection.h"
#include "descriptors/descriptor.h"
#include "sockets/windows_message.h"

int urgent_hinted( struct descriptor *descriptor );
/* Whether any process of the prefix has sent one since there is a table. */
static inline int urgent_sent_by_any( void )
{
    return atomic_load_explicit( &ws2_table_header( connection_table() )->urgent_sent, memory_order_relaxed ) != 0;
}
static inline int urgent_watched( struct descriptor *descriptor )
{
    return atomic_load_explicit( &descriptor->urgent, memory_order_relaxed ) ||
           ( urgent_sent_by_any() && urgent_hinted( descriptor ) );
}

/* The program asks for urgent bytes or for the mark: the descriptor is watched from now on, where that is possible. */
void urgent_watch( struct descriptor *descriptor );
/* POLLPRI when who waits for data is to watch for an urgent byte too, which ordinary receives would pass by; else 0. */
short urgent_awaited( const struct descriptor *descriptor );
/* An ordinary receive of a watched descriptor: as recvmsg( MSG_DONTWAIT ). flags: MSG_* of Windows. */
ssize_t urgent_receive( struct descriptor *descriptor, const struct iovec *vectors, size_t count, uint32_t flags );
/* MSG_OOB, watched: 1 and the byte is in the vectors' first, 0 when there is none, -1 and errno. */
int urgent_fetch( struct descriptor *descriptor, const struct iovec *vectors, size_t count, uint32_t flags );
/* POLLIN and POLLPRI of the host's revents as they are without the urgent bytes. For a watched descriptor, or with POLLPRI. */
uint32_t urgent_poll( struct descriptor *descriptor, uint32_t revents );
/* Watched: data has been taken out of the host's queue and waits. */
int urgent_has_data( struct descriptor *descriptor );
/* SIOCATMARK, and what FIONREAD is beyond the host's. */
int urgent_at_mark( struct descriptor *descriptor );
int urgent_bytes( struct descriptor *descriptor );
/* SO_OOBINLINE of the program's: what waits becomes ordinary data. */
void urgent_set_inline( struct descriptor *descriptor, int on );
/* This end sends an urgent byte: a hint for the other. */
void urgent_sends( struct descriptor *descriptor );
/* It has sent one, the last byte of all that it has sent: where that is, and which, for the other end. */
void urgent_sent( struct descriptor *descriptor, uint8_t byte );
/* The host socket has been replaced: nothing waits any more. */
void urgent_renewed( struct descriptor *descriptor );

#endif
