// An NVRTC for tests: machine code is the source with a word before it, and a
// source that contains #error does not compile.

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char record[1 << 20];
static size_t recorded;
static char failing[64];
static int fail_code, major_version = 12, minor_version = 4;

static void text(const char *format, ...) {
    va_list list;
    va_start(list, format);
    if (recorded < sizeof record) recorded += vsnprintf(record + recorded, sizeof record - recorded, format, list);
    va_end(list);
}
const char *fake_record(void) { return record; }
void fake_clear(void) { recorded = 0; record[0] = 0; failing[0] = 0; }
void fake_fail(const char *call, int code, int after) { (void)after; snprintf(failing, sizeof failing, "%s", call); fail_code = code; }
void fake_compiler(int major, int minor) { major_version = major; minor_version = minor; }

#define CALL(...) do { text("%s", __func__); text(__VA_ARGS__); text("\n"); if (!strcmp(__func__, failing)) return fail_code; } while (0)

struct program { char *source, *name, *result, *log; size_t bytes; };

int nvrtcVersion(int *a, int *b) { CALL(""); *a = major_version; *b = minor_version; return 0; }
const char *nvrtcGetErrorString(int code) { static char name[64]; snprintf(name, sizeof name, "FAKE_NVRTC_ERROR_%d", code); return name; }
int nvrtcGetNumSupportedArchs(int *n) { CALL(""); *n = 3; return 0; }
int nvrtcGetSupportedArchs(int *list) { CALL(""); list[0] = 90; list[1] = 80; list[2] = 75; return 0; }
int nvrtcCreateProgram(struct program **p, const char *source, const char *name, int n, const char *const *headers, const char *const *names) {
    CALL(" %s %zu %d %d", name, strlen(source), n, headers != NULL || names != NULL);
    *p = calloc(1, sizeof **p);
    (*p)->source = strdup(source);
    (*p)->name = strdup(name);
    (*p)->log = strdup("");
    return 0;
}
int nvrtcCompileProgram(struct program *p, int n, const char *const *options) {
    text("%s", __func__);
    const char *kind = "cubin";
    for (int i = 0; i < n; i++) {
        text(" %s", options[i]);
        if (strstr(options[i], "=compute_")) kind = "ptx";
    }
    text("\n");
    if (!strcmp(__func__, failing)) return fail_code;
    const char *mistake = strstr(p->source, "#error");
    if (mistake) {
        int line = 1;
        for (const char *at = p->source; at < mistake; at++) line += *at == '\n';
        p->log = malloc(512);
        snprintf(p->log, 512, "%s(%d): error: %.100s\n", p->name, line, mistake);
        return 6;
    }
    p->bytes = strlen(p->source) + 16;
    p->result = calloc(1, p->bytes);
    snprintf(p->result, p->bytes, "%s of %s", kind, p->source);
    return 0;
}
int nvrtcGetProgramLogSize(struct program *p, size_t *n) { CALL(""); *n = strlen(p->log) + 1; return 0; }
int nvrtcGetProgramLog(struct program *p, char *log) { CALL(""); strcpy(log, p->log); return 0; }
int nvrtcGetCUBINSize(struct program *p, size_t *n) { CALL(""); *n = p->bytes; return 0; }
int nvrtcGetCUBIN(struct program *p, char *image) { CALL(""); memcpy(image, p->result, p->bytes); return 0; }
int nvrtcGetPTXSize(struct program *p, size_t *n) { CALL(""); *n = p->bytes; return 0; }
int nvrtcGetPTX(struct program *p, char *image) { CALL(""); memcpy(image, p->result, p->bytes); return 0; }
int nvrtcDestroyProgram(struct program **p) { CALL(""); *p = NULL; return 0; }
