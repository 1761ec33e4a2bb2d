/*
 * A prefix, and ws2host's DLLs in its system folders.
 *
 * What lay there before is kept beside it under another name, and comes back when they are taken out; a copy of ws2host's,
 * by whichever build, is never kept. They are copies always: a link whose target goes would leave programs without any
 * ws2_32, while a copy finds its bridge, or another build's, or the loader's own (dlls/ws2_32/start/fallback.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ws2ctl.h"

#define SAVED ".before-ws2host"
#define BRIDGE "ws2host.dll"

static const char *const dlls[] = { "ws2_32.dll", BRIDGE };

int prefix_find( char *path, size_t size )
{
    const char *prefix = getenv( "WINEPREFIX" ), *home = getenv( "HOME" );
    const struct passwd *user;
    char here[PATH_MAX];

    if ( prefix && *prefix )
    {
        if ( *prefix == '/' ) snprintf( path, size, "%s", prefix );
        else if ( getcwd( here, sizeof( here ) ) ) snprintf( path, size, "%s/%s", here, prefix );
        else return fail( "The folder that %s is in cannot be named: %s.", prefix, strerror( errno ) );
        return 0;
    }
    if ( !home || !*home ) home = ( user = getpwuid( geteuid() ) ) ? user->pw_dir : NULL;
    if ( !home || !*home )
        return fail( "There is no home of user %u to look for .wine in: name the prefix in WINEPREFIX.", geteuid() );
    snprintf( path, size, "%s/.wine", home );
    return 0;
}

int prefix_check( const char *prefix )
{
    char path[PATH_MAX];
    struct stat st;

    if ( stat( prefix, &st ) < 0 )
        return fail( "%s: %s; make the prefix first (ws2run --prepare).", prefix, strerror( errno ) );
    if ( st.st_uid != geteuid() )
        return fail( "%s belongs to user %u, not to you: run this as that user, or name another prefix in WINEPREFIX.",
                     prefix, st.st_uid );
    snprintf( path, sizeof( path ), "%s/user.reg", prefix );
    if ( stat( path, &st ) < 0 )
        return fail( "%s: %s; make the prefix first (ws2run --prepare).", path, strerror( errno ) );
    return 0;
}

int prefix_is_32_bit( const char *prefix )
{
    char path[PATH_MAX], line[200];
    int result = 0;
    FILE *file;

    snprintf( path, sizeof( path ), "%s/system.reg", prefix );
    if ( !( file = fopen( path, "re" ) ) ) return 0;
    for ( int i = 0; i < 8 && fgets( line, sizeof( line ), file ); i++ )
        if ( !strncmp( line, "#arch=win32", 11 ) ) result = 1;
    fclose( file );
    return result;
}

/* The system folders of a prefix, and the builds that belong there. */
struct place
{
    const char *folder, *build;
};

static const struct place *places( const char *prefix )
{
    static const struct place of_64_bit[] = { { "system32", "x86_64-windows" },
                                              { "syswow64", "i386-windows" },
                                              { NULL, NULL } },
                              of_32_bit[] = { { "system32", "i386-windows" }, { NULL, NULL } };

    return prefix_is_32_bit( prefix ) ? of_32_bit : of_64_bit;
}

static int contains( const char *path, const char *text )
{
    int fd = open( path, O_RDONLY | O_CLOEXEC ), result = 0;
    struct stat st;
    void *content;

    if ( fd < 0 ) return 0;
    if ( !fstat( fd, &st ) && S_ISREG( st.st_mode ) && st.st_size &&
         ( content = mmap( NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0 ) ) != MAP_FAILED )
    {
        result = memmem( content, st.st_size, text, strlen( text ) + 1 ) != NULL;
        munmap( content, st.st_size );
    }
    close( fd );
    return result;
}

/* Of whichever build: ws2_32.dll imports the bridge. */
static int is_ours( const char *path, const char *dll ) { return !strcmp( dll, BRIDGE ) || contains( path, BRIDGE ); }

/* A DLL that is to be placed, already in its folder under another name: what lacks room lacks it before a file is changed. */
struct staged
{
    char to[PATH_MAX], temporary[PATH_MAX];
    const char *dll;
};

static int place_file( const struct staged *file )
{
    char saved[PATH_MAX + 40];
    struct stat st;

    snprintf( saved, sizeof( saved ), "%s" SAVED, file->to );
    if ( !lstat( file->to, &st ) && !is_ours( file->to, file->dll ) )
    {
        /* newer than what may have been kept before */
        unlink( saved );
        if ( link( file->to, saved ) < 0 ) return fail_to_write( saved );
    }
    return rename( file->temporary, file->to ) < 0 ? fail_to_write( file->to ) : 0;
}

/* Whether a build has something to stand in for there: a prefix made without the other width's Wine has that folder, with
 * nothing in it that could come back. */
static int is_served( const char *prefix, const struct place *place )
{
    char path[PATH_MAX];
    struct stat st;

    snprintf( path, sizeof( path ), "%s/drive_c/windows/%s", prefix, place->folder );
    if ( stat( path, &st ) < 0 ) return 0;
    if ( !strcmp( place->folder, "system32" ) ) return 1;
    snprintf( path, sizeof( path ), "%s/drive_c/windows/%s/%s", prefix, place->folder, dlls[0] );
    return !lstat( path, &st );
}

int prefix_place( const char *prefix )
{
    const char *library = library_directory();
    struct staged staged[2 * sizeof( dlls ) / sizeof( dlls[0] )];
    unsigned int count = 0, done = 0;
    char from[PATH_MAX], to[PATH_MAX];
    int served = 0, error = 0;
    struct stat st;

    /* what a loader leaves that cannot serve the prefix it was to make: nothing could be put back there */
    snprintf( to, sizeof( to ), "%s/drive_c/windows/system32/ntdll.dll", prefix );
    if ( lstat( to, &st ) < 0 )
        return fail(
            "%s is not whole: no ntdll.dll in its system folder. Remove it and make it anew, with a loader for "
            "programs of %d bits.",
            prefix, prefix_is_32_bit( prefix ) ? 32 : 64 );
    for ( const struct place *place = places( prefix ); place->folder && !error; place++ )
    {
        snprintf( from, sizeof( from ), "%s/%s/ws2_32.dll", library, place->build );
        if ( stat( from, &st ) < 0 || !is_served( prefix, place ) ) continue;
        for ( unsigned int i = 0; i < sizeof( dlls ) / sizeof( dlls[0] ) && !error; i++ )
        {
            struct staged *file = &staged[count];

            served = 1;
            snprintf( from, sizeof( from ), "%s/%s/%s", library, place->build, dlls[i] );
            snprintf( file->to, sizeof( file->to ), "%s/drive_c/windows/%s/%s", prefix, place->folder, dlls[i] );
            file->dll = dlls[i];
            if ( !lstat( file->to, &st ) && S_ISREG( st.st_mode ) && library_same( from, file->to ) ) continue;
            if ( !library_stage( from, file->to, file->temporary, sizeof( file->temporary ) ) ) count++;
            else error = fail_to_write( file->to );
        }
    }
    while ( !error && done < count && !( error = place_file( &staged[done] ) ) ) done++;
    while ( done < count ) unlink( staged[done++].temporary );
    if ( error ) return 1;
    if ( !served )
        return fail( "%s holds no DLL for %s, which is of %d bits: install ws2host for that width.", library, prefix,
                     prefix_is_32_bit( prefix ) ? 32 : 64 );
    return 0;
}

/* The loader needs a file of each DLL of its own: of one that no build kept, its library folder has another copy. */
static int restore_lost( const char *path, const char *dll, const char *build )
{
    char folder[PATH_MAX], from[2 * PATH_MAX];

    if ( !strcmp( dll, BRIDGE ) ) return unlink( path ) < 0 && errno != ENOENT ? fail_to_write( path ) : 0;
    if ( loader_folder( loader_default(), folder ) )
    {
        snprintf( from, sizeof( from ), "%s/%s/%s", folder, build, dll );
        if ( !library_copy( from, path ) ) return 0;
    }
    return fail( "%s: what was there before is not known: remove it and run \"wineboot -u\".", path );
}

int prefix_restore( const char *prefix )
{
    char path[PATH_MAX], saved[PATH_MAX + 40];
    struct stat st;
    int result = 0;

    for ( const struct place *place = places( prefix ); place->folder; place++ )
        for ( unsigned int i = 0; i < sizeof( dlls ) / sizeof( dlls[0] ); i++ )
        {
            snprintf( path, sizeof( path ), "%s/drive_c/windows/%s/%s", prefix, place->folder, dlls[i] );
            snprintf( saved, sizeof( saved ), "%s" SAVED, path );
            if ( lstat( path, &st ) < 0 && lstat( saved, &st ) < 0 ) continue;
            if ( !lstat( path, &st ) && !is_ours( path, dlls[i] ) )
                unlink( saved ); /* somebody put a newer one there */
            else if ( !lstat( saved, &st ) && !is_ours( saved, dlls[i] ) )
            {
                if ( rename( saved, path ) < 0 ) result = fail_to_write( path );
            }
            else
            {
                unlink( saved );
                if ( restore_lost( path, dlls[i], place->build ) ) result = 1;
            }
        }
    return result;
}

enum prefix_files prefix_state( const char *prefix )
{
    const char *library = library_directory();
    unsigned int ours = 0, current = 0, wanted = 0;
    char path[PATH_MAX], source[PATH_MAX];
    struct stat st;

    for ( const struct place *place = places( prefix ); place->folder; place++ )
        for ( unsigned int i = 0; i < sizeof( dlls ) / sizeof( dlls[0] ); i++ )
        {
            snprintf( path, sizeof( path ), "%s/drive_c/windows/%s/%s", prefix, place->folder, dlls[i] );
            snprintf( source, sizeof( source ), "%s/%s/%s", library, place->build, dlls[i] );
            if ( !lstat( path, &st ) && is_ours( path, dlls[i] ) )
            {
                ours++;
                current += library_same( source, path );
            }
            wanted += is_served( prefix, place ) && !stat( source, &st );
        }
    return !ours ? PREFIX_NONE : ours < wanted ? PREFIX_SOME : current < wanted ? PREFIX_OLD : PREFIX_ALL;
}
