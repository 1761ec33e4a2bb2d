/*
 * bcryptprimitives.dll as far as programs of recent Go and Rust look for it, for loaders that have none (Wine 8): lies in
 * the test prefixes only.
 */
#include <windows.h>
#include <ntsecapi.h>

BOOL WINAPI ProcessPrng( BYTE *data, SIZE_T size );

__declspec( dllexport ) BOOL WINAPI ProcessPrng( BYTE *data, SIZE_T size )
{
    const SIZE_T most = 1 << 30; /* in one call of RtlGenRandom, which takes 32 bits */

    while ( size )
    {
        const SIZE_T part = size > most ? most : size;

        if ( !RtlGenRandom( data, (ULONG)part ) ) return FALSE;
        data += part;
        size -= part;
    }
    return TRUE;
}
