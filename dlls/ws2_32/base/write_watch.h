/*
 * Memory whose writes are watched (MEM_WRITE_WATCH), which data of the system's changes without a report: a receive's. The
 * loader learns of every write, so that those of ours are taken back: pages that were not reported before are made so again.
 */
#ifndef WRITE_WATCH_H
#define WRITE_WATCH_H

#include "base/ws2_32_private.h"

struct write_watch
{
    void **pages; /* that were not reported */
    ULONG count;
};

/* Takes down the pages of a buffer that is about to be written; several buffers one after the other, from { 0 } on. Nothing
 * happens for memory that is not watched. */
void write_watch_note( struct write_watch *watch, const void *memory, SIZE_T size );
/* They have been written. */
void write_watch_end( struct write_watch *watch );

#endif
