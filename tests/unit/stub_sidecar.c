/* stub_sidecar.c - until src/rag/sidecar.c is there. */
#include "rag/sidecar.h"
#include <string.h>
#include <strings.h>
bool akin_sidecar_name(const char *n){const char*d=strrchr(n,'.');return d&&(!strcasecmp(d,".txt")||!strcasecmp(d,".json")||!strcasecmp(d,".xmp"));}
bool akin_sidecar_belongs(const char *s,const char *p){const char*d=strrchr(s,'.');size_t n=(size_t)(d-s);if(!strncmp(s,p,n)&&p[n]==0)return true;const char*e=strrchr(p,'.');return e&&(size_t)(e-p)==n&&!strncmp(s,p,n);}
