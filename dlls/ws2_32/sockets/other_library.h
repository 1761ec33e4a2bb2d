/* Processes of the prefix whose sockets the loader's own ws2_32 makes: an override names it, or their width has no ws2host. */
#ifndef OTHER_LIBRARY_H
#define OTHER_LIBRARY_H

#include <winsock2.h>

/* Whether that process has it: none is given an info then, for it would make a fresh socket of one. A process
 * that has loaded neither yet is judged by the DLL that its width has. A person is told. */
BOOL other_library_serves( DWORD pid );

/* Whether its WSADuplicateSocket filled in that info; a person is told. */
BOOL other_library_made( const WSAPROTOCOL_INFOW *info );

#endif
