/*
 * A program without Winsock that takes a handle out of another process: what it may do with a SOCKET of that one's.
 *
 *     plain PROCESS HANDLE      prints "read RESULT ERROR, write RESULT ERROR"
 */
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>

int main( int argc, char **argv )
{
    HANDLE owner = OpenProcess( PROCESS_DUP_HANDLE, FALSE, argc > 2 ? atoi( argv[1] ) : 0 ), copy;
    DWORD count, errors[2] = { 0 };
    char byte = 'x';
    BOOL results[2];

    if ( argc != 3 || !owner ||
         !DuplicateHandle( owner, (HANDLE)(UINT_PTR)strtoull( argv[2], NULL, 10 ), GetCurrentProcess(), &copy, 0, FALSE,
                           DUPLICATE_SAME_ACCESS ) )
    {
        printf( "no copy: error %lu\n", GetLastError() );
        return 1;
    }
    if ( !( results[0] = ReadFile( copy, &byte, 1, &count, NULL ) ) ) errors[0] = GetLastError();
    if ( !( results[1] = WriteFile( copy, &byte, 1, &count, NULL ) ) ) errors[1] = GetLastError();
    printf( "read %d %lu, write %d %lu\n", results[0], errors[0], results[1], errors[1] );
    return 0;
}
