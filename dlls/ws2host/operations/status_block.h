/* The program's OVERLAPPED, of a transfer that tells of its end by nothing but that and a packet. No lock is held and no descriptor:
 * any access may fault. */
#ifndef WS2HOST_STATUS_BLOCK_H
#define WS2HOST_STATUS_BLOCK_H

#include "ws2host/unixcall.h"

/* Marks it as pending and fills in the target's apc_context. 0: it has an event, and params->error says so. */
int status_block_begin( struct ws2_operation *params );
/* The transfer is over, and well: its results, and what the call itself returns through pointers. store_flags: also the flags. */
void status_block_end( struct ws2_operation_transfer_params *params, int store_flags );

#endif
