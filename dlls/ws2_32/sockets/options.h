/* Options that the PE side keeps: SO_OPENTYPE, which belongs to the thread. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <windows.h>

/* Not 0: sockets that socket() makes in this thread are not overlapped. */
DWORD options_opentype( void );

#endif
