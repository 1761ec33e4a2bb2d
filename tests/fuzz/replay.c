/* Feeds a fuzz target the files named, one after the other. */
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput( const uint8_t *data, size_t size );

int main( int argc, char **argv )
{
    static uint8_t data[65536];

    for ( int i = 1; i < argc; i++ )
    {
        FILE *file = fopen( argv[i], "rb" );

        if ( !file ) return perror( argv[i] ), 1;
        LLVMFuzzerTestOneInput( data, fread( data, 1, sizeof( data ), file ) );
        fclose( file );
    }
    printf( "fuzz: %d inputs replayed\n", argc - 1 );
    return argc < 2;
}
