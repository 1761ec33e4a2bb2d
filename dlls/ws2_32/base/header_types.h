/*
 * Types of parameters that the compiler's headers declare in two ways: mingw-w64 12 corrected some of them. A function
 * that is declared there is defined with the type found here.
 */
#ifndef WS2_32_HEADER_TYPES_H
#define WS2_32_HEADER_TYPES_H

#if __MINGW64_VERSION_MAJOR >= 12
typedef const TIMEVAL *timeval_argument;
typedef LPLOOKUPSERVICE_COMPLETION_ROUTINE lookup_routine;
#else
typedef const PTIMEVAL timeval_argument;
typedef void *lookup_routine;
#endif

#endif
