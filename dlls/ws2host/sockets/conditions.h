/* What a host poll result means on Windows: shared by select, WSAPoll and the network events. */
#ifndef WS2HOST_CONDITIONS_H
#define WS2HOST_CONDITIONS_H

#include "descriptors/descriptor.h"

/* Conditions of a socket, as AFD numbers them */
enum poll_condition
{
    POLL_READ = 0x1,
    POLL_OOB = 0x2,
    POLL_WRITE = 0x4,
    POLL_HANGUP = 0x8,
    POLL_RESET = 0x10,
    POLL_CLOSE = 0x20,
    POLL_CONNECT = 0x40,
    POLL_ACCEPT = 0x80,
    POLL_CONNECT_ERROR = 0x100
};

/* The host events to wait for, of the conditions wanted. */
short poll_host_events( struct descriptor *descriptor, uint32_t wanted );
/* What the host shows at this moment of the host socket itself; -1: it cannot be asked. */
int poll_host_now( const struct descriptor *descriptor );
/* The conditions that hold, given the host's revents. Takes down the outcome of a connect. */
uint32_t poll_conditions( struct descriptor *descriptor, uint32_t revents );
/* What a poll shows, once more if that was of a host socket that another has the place of: one without a connection is hung up.
 * For calls; no lock is held. */
uint32_t poll_renewed( struct descriptor *descriptor, uint32_t revents );
/* The same without POLL_READ for an end of stream alone, which is no data to those that are told of both. */
uint32_t poll_data( struct descriptor *descriptor, uint32_t conditions );
/* Whether poll_conditions finds nothing that a poll shows, and looks at nothing, while the host's revents are 0. It stays so
 * until descriptor_changes counts, or the flags of a shared slot change; what else conditions come to depend on has to count. */
int poll_silence_is_answer( struct descriptor *descriptor );
/* Whether, for as long, POLLIN and POLLOUT alone are conditions by themselves: those of poll_plain_conditions, which does not
 * need the descriptor counted. 0: poll_conditions is to be asked. */
int poll_is_plain( const struct descriptor *descriptor );
uint32_t poll_plain_conditions( const struct descriptor *descriptor, uint32_t revents );

#endif
