/* What this DLL does where it cannot work itself. */
#ifndef FALLBACK_H
#define FALLBACK_H

#include <windows.h>

/* First of all, when the DLL is loaded. FALSE: all is well. TRUE: calls go to another ws2_32.dll from now on, or a line has
 * said why there is none and WSAStartup fails; nothing else of this DLL may be set up. */
BOOL fallback_begin( HINSTANCE instance );

#endif
