/*
 * Where the table is in this process: in 64 bits one mapping of it all. In 32 bits, where addresses are dear, the header and
 * the directories, and a window for each block of slots that is in use; a few that are not stay for the next use.
 */
#ifndef WS2HOST_TABLE_MAP_H
#define WS2HOST_TABLE_MAP_H

#include <stdint.h>
#include "ws2host/table.h"

/* Whether by windows; tests of the host side set it before they attach. */
extern int table_windows;

/* Maps the table of that descriptor, which is kept and stays the caller's. NULL: errno. Undone by table_unmap only as long as
 * nobody knows of it. */
void *table_map( int memfd );
void table_unmap( void *table );

/* The slot, whose block stays where it is until as many table_unpin. NULL: no such slot, or no room for the block. */
struct ws2_slot *table_pin( uint32_t index );
void table_unpin( uint32_t index );
/* The same of a block that is pinned. */
struct ws2_slot *table_slot( uint32_t index );

/* That process's page of counts; in place of what is mapped at a place, or where there is room. NULL: errno. */
struct ws2_counts *table_map_counts( uint32_t client, void *place );

#endif
