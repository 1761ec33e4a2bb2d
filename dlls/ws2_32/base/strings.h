/* Strings of the program's: copied once, safely, and converted. What is returned is malloc'ed, the caller's to free. */
#ifndef STRINGS_H
#define STRINGS_H

#include <windows.h>

/* 0, WSAEFAULT or WSA_NOT_ENOUGH_MEMORY. NULL gives NULL. */
int string_read( const char *user, char **copy );
int string_read_wide( const WCHAR *user, WCHAR **copy );
/* In the ANSI code page at the program, wide here. */
int string_read_ansi( const char *user, WCHAR **copy );

/* NULL for NULL or without memory. */
WCHAR *string_wide( UINT code_page, const char *string );
char *string_narrow( UINT code_page, const WCHAR *string );

#endif
