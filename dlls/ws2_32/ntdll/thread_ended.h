/* For locks that know their holder. */
#ifndef THREAD_ENDED_H
#define THREAD_ENDED_H

#include <windows.h>

/* Whether that thread of this process is no more, by its number; it does nothing any more then. Asks wineserver: for who has
 * waited for long. */
BOOL thread_has_ended( DWORD thread );

#endif
