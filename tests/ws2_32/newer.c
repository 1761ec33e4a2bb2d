/*
 * Functions of later systems, by their own names, without importing them: see newer.h.
 *
 * WINETEST_SYSTEM=2003 finds none of them, whatever the system has: what the program does there is then seen here.
 */
#include "wine/test.h"
#include "newer.h"

#undef GetProcAddress

#ifdef __i386__
#define SYMBOL( name, bytes ) "_" #name "@" #bytes
#define JUMP( place ) "jmp *" place
#define ADDRESS ".long"
#else
#define SYMBOL( name, bytes ) #name
#define JUMP( place ) "jmp *" place "(%rip)"
#define ADDRESS ".quad"
#endif
#define IMPORT( name, bytes ) "__imp_" SYMBOL( name, bytes )

/* Both names that the headers' declarations come to: the function's, and that of its address in an import table. */
#define X( dll, name, bytes ) \
    __asm__( ".text\n.globl \"" SYMBOL( name, bytes ) "\"\n\"" SYMBOL( name, bytes ) "\":\n\t" JUMP( "\"" IMPORT( \
        name, bytes ) "\"" ) "\n" \
                             ".data\n.globl \"" IMPORT( name, bytes ) "\"\n\"" IMPORT( name, bytes ) "\":\n\t" ADDRESS \
                                                                                                     " 0\n.text\n" ); \
    extern FARPROC address_##name __asm__( IMPORT( name, bytes ) );
NEWER_FUNCTIONS( X )
#undef X

static const struct
{
    const char *dll, *name;
    FARPROC *address;
} functions[] = {
#define X( dll, name, bytes ) { #dll ".dll", #name, &address_##name },
    NEWER_FUNCTIONS( X )
#undef X
};

static const char *const looked_up[] = {
#define X( name ) #name,
    NEWER_LOOKED_UP( X )
#undef X
};

extern BOOL winetest_as_2003; /* finds none of them */

static BOOL is_newer( const char *name )
{
    for ( unsigned int i = 0; i < sizeof( functions ) / sizeof( functions[0] ); i++ )
        if ( !strcmp( functions[i].name, name ) ) return TRUE;
    for ( unsigned int i = 0; i < sizeof( looked_up ) / sizeof( looked_up[0] ); i++ )
        if ( !strcmp( looked_up[i], name ) ) return TRUE;
    return FALSE;
}

/* What a test's GetProcAddress is; an ordinal is no name. */
FARPROC winetest_proc( HMODULE module, const char *name );
FARPROC winetest_proc( HMODULE module, const char *name )
{
    return winetest_as_2003 && (ULONG_PTR)name > 0xffff && is_newer( name ) ? NULL : GetProcAddress( module, name );
}

static void __attribute__( ( constructor ) ) find_functions( void )
{
    char system[16];

    winetest_as_2003 =
        GetEnvironmentVariableA( "WINETEST_SYSTEM", system, sizeof( system ) ) && !strcmp( system, "2003" );
    for ( unsigned int i = 0; i < sizeof( functions ) / sizeof( functions[0] ); i++ )
        *functions[i].address = winetest_proc( GetModuleHandleA( functions[i].dll ), functions[i].name );
}

/* Whether the system has all of them, which commas separate; says which it has not. */
int winetest_has( const char *names );
int winetest_has( const char *names )
{
    int all = 1;

    for ( unsigned int i = 0; i < sizeof( functions ) / sizeof( functions[0] ); i++ )
    {
        const size_t length = strlen( functions[i].name );
        const char *found = names;

        if ( *functions[i].address ) continue;
        while ( ( found = strstr( found, functions[i].name ) ) &&
                ( ( found > names && found[-1] != ',' ) || ( found[length] && found[length] != ',' ) ) )
            found++;
        if ( !found ) continue;
        winetest_win_skip( "%s is not there\n", functions[i].name );
        all = 0;
    }
    return all;
}
