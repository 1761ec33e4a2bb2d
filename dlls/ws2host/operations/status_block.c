/* The program's OVERLAPPED: see status_block.h. Any thread; no state. */
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include "base/caller.h"
#include "operations/status_block.h"
#include "ws2host/winsock_codes.h"

#define STATUS_PENDING 0x103

struct overlapped64
{
    uint64_t status, information;
    uint32_t offset, offset_high;
    uint64_t event;
};

struct overlapped32
{
    uint32_t status, information;
    uint32_t offset, offset_high;
    uint32_t event;
};

int status_block_begin( struct ws2_operation *params )
{
    const uintptr_t user = params->target.iosb;
    uint64_t event;

    if ( CALLER_IS_32 ) event = *(const volatile uint32_t *)( user + offsetof( struct overlapped32, event ) );
    else event = *(const volatile uint64_t *)( user + offsetof( struct overlapped64, event ) );
    if ( event & ~3ull )
    {
        params->error = WS2_ERROR_EVENT;
        return 0;
    }
    if ( CALLER_IS_32 ) *(volatile uint32_t *)user = STATUS_PENDING;
    else *(volatile uint64_t *)user = STATUS_PENDING;
    params->target.apc_context = event & 1 ? 0 : user;
    return 1;
}

void status_block_end( struct ws2_operation_transfer_params *params, int store_flags )
{
    const uintptr_t user = params->operation.target.iosb;
    const uint64_t information = params->operation.information;

    params->operation.ended = 1;
    /* what says so stands before the first write, and the status is seen last */
    atomic_signal_fence( memory_order_seq_cst );
    if ( store_flags )
        *(volatile uint32_t *)( user + ( CALLER_IS_32 ? offsetof( struct overlapped32, offset )
                                                      : offsetof( struct overlapped64, offset ) ) ) =
            params->operation.flags;
    if ( CALLER_IS_32 ) *(volatile uint32_t *)( user + offsetof( struct overlapped32, information ) ) = information;
    else *(volatile uint64_t *)( user + offsetof( struct overlapped64, information ) ) = information;
    *(volatile uint32_t *)user = 0;
    if ( params->done_user ) *(volatile uint32_t *)(uintptr_t)params->done_user = information;
    if ( params->flags_user ) *(volatile uint32_t *)(uintptr_t)params->flags_user = params->operation.flags;
}
