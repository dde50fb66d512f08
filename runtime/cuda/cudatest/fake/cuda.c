// A libcuda for tests: it records every call, keeps "device" memory on the
// host, replays captured graphs, runs a few kernels that it knows by name, and
// fails on demand. It includes no CUDA header, so that it builds anywhere; its
// declarations are held against the real header by a test of package dl.

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int CUresult;
typedef int CUdevice;
typedef uint64_t CUdeviceptr;

enum { NOT_READY = 600, INVALID_HANDLE = 400, NOT_FOUND = 500, INVALID_VALUE = 1, CAPTURE_INVALIDATED = 901, CAPTURE_UNJOINED = 904, INVALID_IMAGE = 200 };

// ---- the control side, for tests

static char record[1 << 20];
static size_t recorded;
static char failing[64];
static int fail_code, fail_after;
static int devices = 1, version = 12040, busy_queries, capability_major = 9, capability_minor = 0;

static void text(const char *format, ...) {
    va_list list;
    va_start(list, format);
    if (recorded < sizeof record) recorded += vsnprintf(record + recorded, sizeof record - recorded, format, list);
    va_end(list);
}

const char *fake_record(void) { return record; }
void fake_clear(void) { recorded = 0; record[0] = 0; failing[0] = 0; fail_code = fail_after = 0; busy_queries = 0; }
// The call of this name fails with a code, after so many that succeed.
void fake_fail(const char *call, int code, int after) { snprintf(failing, sizeof failing, "%s", call); fail_code = code; fail_after = after; }
void fake_machine(int device_count, int driver_version, int major, int minor) { devices = device_count; version = driver_version; capability_major = major; capability_minor = minor; }
static size_t free_bytes = (size_t)70 << 30;
void fake_memory(size_t bytes) { free_bytes = bytes; } // so many are free, whatever is allocated
void fake_busy(int queries) { busy_queries = queries; } // so many event queries find it not ready

static int fails(const char *call) {
    if (strcmp(call, failing) != 0 || fail_after-- > 0) return 0;
    return fail_code;
}

// CALL opens a function: it records the call and fails if it shall.
#define CALL(...) do { text("%s", __func__); text(__VA_ARGS__); text("\n"); int code = fails(__func__); if (code) return code; } while (0)

// ---- handles: small numbers, so that records are the same in every run

#define MOST 4096
#define LARGE (16 << 20) // bytes: of more, only so many are touched
struct allocation { char *at; size_t bytes; int host; };
static struct allocation allocations[MOST];
static int allocated;

static struct allocation *find(uint64_t address) {
    for (int i = 0; i < allocated; i++)
        if (allocations[i].at && (uint64_t)(uintptr_t)allocations[i].at <= address && address < (uint64_t)(uintptr_t)allocations[i].at + allocations[i].bytes)
            return &allocations[i];
    return NULL;
}

// where names an address: "dev1+64", "pinned2" or "memory". It gives the last
// of a few buffers, so that one call can name two.
static const char *where(uint64_t address) {
    static char names[4][32];
    static int next;
    char *name = names[next++ % 4];
    struct allocation *a = find(address);
    if (!a) snprintf(name, 32, "memory");
    else if (address == (uint64_t)(uintptr_t)a->at) snprintf(name, 32, "%s%d", a->host ? "pinned" : "dev", (int)(a - allocations) + 1);
    else snprintf(name, 32, "%s%d+%d", a->host ? "pinned" : "dev", (int)(a - allocations) + 1, (int)(address - (uint64_t)(uintptr_t)a->at));
    return name;
}

static char *reserve(size_t bytes, int host) {
    if (allocated == MOST) return NULL;
    char *at = malloc(bytes ? bytes : 1);
    memset(at, host ? 0 : 0xCD, bytes < LARGE ? bytes : LARGE);
    allocations[allocated++] = (struct allocation){at, bytes, host};
    return at;
}

static CUresult release(uint64_t address, int host) {
    struct allocation *a = find(address);
    if (!a || a->host != host || (uint64_t)(uintptr_t)a->at != address) return INVALID_VALUE;
    free(a->at);
    a->at = NULL;
    return 0;
}

int fake_live(void) { // allocations not freed
    int live = 0;
    for (int i = 0; i < allocated; i++) live += allocations[i].at != NULL;
    return live;
}
void fake_forget(void) { for (int i = 0; i < allocated; i++) free(allocations[i].at); allocated = 0; }

#define PARAMETERS 32
#define MOST_OPERATIONS 4096
struct function { char name[128]; int parameters, shared; };
static struct function functions[MOST];
static int function_count;
static char *modules[MOST];
static int module_count;

struct operation { int kind; CUdeviceptr to; const void *from; void *host; CUdeviceptr source; size_t bytes; int value; struct function *function; uint64_t args[PARAMETERS]; unsigned threads, grid[3], block[3]; };
enum { UPLOAD, DOWNLOAD, COPY, FILL, KERNEL };
struct graph { struct operation list[MOST_OPERATIONS]; int count; uint64_t origin; };
static struct graph *graphs[MOST];
static int graph_count;
static struct graph *execs[MOST];
static int exec_count;
static struct graph *capturing[MOST]; // by stream
static int unjoined[MOST]; // by stream: operations that the capture's origin does not wait for
static struct graph *event_graph[MOST]; // the capture that an event was recorded in
static int event_covers[MOST]; // and the operations of its stream before it
static uint64_t event_stream[MOST];
static int stream_count, event_count;
static float event_times[MOST];
static float clock_ms;

// ---- kernels of an emulation

// emulate runs a kernel in another program, where FAKE_CUDA_EMULATION names a
// folder with one, "device", that takes a job and an image of memory, and with
// a "table" of kernels: a line "name arguments", then a line "bytes element written"
// for each argument. Other kernels do nothing. The image is the allocations that
// the arguments lie in, one after the other.
static void emulate(struct operation *o) {
    const unsigned *grid = o->grid, *block = o->block;
    const char *folder = getenv("FAKE_CUDA_EMULATION");
    if (!folder) return;
    char path[4096], job[8192], name[160];
    int arguments, bytes, element, written, length = 0, parts = 0;
    struct allocation *part[PARAMETERS];
    size_t offset[PARAMETERS], total = 0;
    for (int i = 0; i < o->function->parameters; i++) {
        struct allocation *a = find(o->args[i]);
        if (!a) abort();
        int k = 0;
        while (k < parts && part[k] != a) k++;
        if (k == parts) {
            part[parts++] = a;
            offset[k] = total;
            total += (a->bytes + 255) / 256 * 256;
        }
    }
    snprintf(path, sizeof path, "%s/table", folder);
    FILE *table = fopen(path, "r");
    if (!table) abort();
    while (fscanf(table, "%159s %d", name, &arguments) == 2) {
        int found = !strcmp(name, o->function->name) && parts && !length;
        if (found)
            length = snprintf(job, sizeof job, "%zu 1 1\n%s %u %u %u %u %u %u 1 %d\n", total, name, grid[0], grid[1], grid[2], block[0], block[1], block[2], arguments);
        for (int i = 0; i < arguments; i++) {
            if (fscanf(table, "%d %d %d", &bytes, &element, &written) != 3) abort();
            if (!found) continue;
            int k = 0;
            while (part[k] != find(o->args[i])) k++;
            length += snprintf(job + length, sizeof job - length, "%d %d %d %d argument%d\n", (int)(offset[k] + (o->args[i] - (uint64_t)(uintptr_t)part[k]->at)), bytes, element, written ? 2 : 0, i);
        }
    }
    fclose(table);
    if (!length) return;
    snprintf(path, sizeof path, "%s/job", folder);
    FILE *file = fopen(path, "w");
    if (!file || fputs(job, file) < 0 || fclose(file)) abort();
    snprintf(path, sizeof path, "%s/memory", folder);
    file = fopen(path, "w");
    if (!file) abort();
    for (int k = 0; k < parts; k++)
        if (fseek(file, (long)offset[k], SEEK_SET) || fwrite(part[k]->at, 1, part[k]->bytes, file) != part[k]->bytes) abort();
    if (fclose(file) || truncate(path, (off_t)total)) abort();
    snprintf(path, sizeof path, "cd '%s' && ./device job memory", folder);
    if (system(path)) abort();
    snprintf(path, sizeof path, "%s/memory", folder);
    file = fopen(path, "r");
    if (!file) abort();
    for (int k = 0; k < parts; k++)
        if (fseek(file, (long)offset[k], SEEK_SET) || fread(part[k]->at, 1, part[k]->bytes, file) != part[k]->bytes) abort();
    fclose(file);
}

// ---- kernels that the fake can run, by name

static void run_kernel(struct operation *o) {
    uint64_t *a = o->args;
    clock_ms += 0.25f;
    const char *name = o->function->name;
    if (!strcmp(name, "scale")) { // out = in * factor
        float *out = (float *)(uintptr_t)a[0], *in = (float *)(uintptr_t)a[1], *factor = (float *)(uintptr_t)a[2];
        for (unsigned i = 0; i < o->threads; i++) out[i] = in[i] * *factor;
    } else if (!strcmp(name, "total")) { // out = the sum of 4 numbers + offset
        float *out = (float *)(uintptr_t)a[0], *in = (float *)(uintptr_t)a[1];
        int *offset = (int *)(uintptr_t)a[2];
        *out = in[0] + in[1] + in[2] + in[3] + (float)*offset;
    } else if (!strcmp(name, "increase")) { // out += in
        float *out = (float *)(uintptr_t)a[0], *in = (float *)(uintptr_t)a[1];
        for (unsigned i = 0; i < o->threads; i++) out[i] += in[i];
    } else emulate(o);
}

static void perform(struct operation *o) {
    switch (o->kind) {
    case UPLOAD: memcpy((void *)(uintptr_t)o->to, o->from, o->bytes); break;
    case DOWNLOAD: memcpy(o->host, (void *)(uintptr_t)o->source, o->bytes); break;
    case COPY: memcpy((void *)(uintptr_t)o->to, (void *)(uintptr_t)o->source, o->bytes < LARGE ? o->bytes : LARGE); clock_ms += 0.125f; break;
    case FILL: memset((void *)(uintptr_t)o->to, o->value, o->bytes); break;
    case KERNEL: run_kernel(o); break;
    }
}

static CUresult queue(uint64_t stream, struct operation *o) {
    struct graph *g = capturing[stream];
    if (g) {
        if (g->count == MOST_OPERATIONS) return CAPTURE_INVALIDATED;
        g->list[g->count++] = *o;
        if (stream != g->origin) unjoined[stream]++;
    } else perform(o);
    return 0;
}

// inside tells whether a range lies in one allocation on the device.
static int inside(CUdeviceptr at, size_t bytes) {
    struct allocation *a = find(at);
    return a && !a->host && at + bytes <= (uint64_t)(uintptr_t)a->at + a->bytes;
}

// ---- the driver API

CUresult cuInit(unsigned flags) { CALL(" %u", flags); return devices < 1 ? 100 : 0; }
CUresult cuDriverGetVersion(int *v) { CALL(""); *v = version; return 0; }
CUresult cuGetErrorName(CUresult code, const char **p) { static char name[64]; snprintf(name, sizeof name, "FAKE_ERROR_%d", code); *p = name; return 0; }
CUresult cuGetErrorString(CUresult code, const char **p) { static char name[64]; snprintf(name, sizeof name, "fault %d on demand", code); *p = name; return 0; }
CUresult cuDeviceGetCount(int *n) { CALL(""); *n = devices; return 0; }
CUresult cuDeviceGet(CUdevice *d, int n) { CALL(" %d", n); if (n < 0 || n >= devices) return 101; *d = n; return 0; }
CUresult cuDeviceGetName(char *name, int size, CUdevice d) { CALL(" %d %d", size, d); snprintf(name, size, "Fake GPU %d", d); return 0; }
CUresult cuDeviceGetAttribute(int *v, int a, CUdevice d) {
    CALL(" %d %d", a, d);
    *v = a == 75 ? capability_major : a == 76 ? capability_minor : a == 97 ? 232448 : a == 16 ? 132 : a == 13 ? 1980000 : 7;
    return 0;
}
CUresult cuDevicePrimaryCtxRetain(uint64_t *c, CUdevice d) { CALL(" %d", d); *c = 11; return 0; }
CUresult cuDevicePrimaryCtxRelease_v2(CUdevice d) { CALL(" %d", d); return 0; }
CUresult cuCtxSetCurrent(uint64_t c) { CALL(" %d", (int)c); return 0; }
CUresult cuCtxSynchronize(void) { CALL(""); return 0; }
CUresult cuMemGetInfo_v2(size_t *available, size_t *total) { CALL(""); *available = free_bytes; *total = (size_t)80 << 30; return 0; }

CUresult cuModuleLoadDataEx(uint64_t *m, const void *image, unsigned n, void *options, void **values) {
    CALL(" %u %s", n, options || values ? "options" : "none");
    if (strncmp(image, "cubin of ", 9) != 0 && strncmp(image, "ptx of ", 7) != 0) return INVALID_IMAGE;
    modules[module_count++] = strdup(image);
    *m = module_count;
    return 0;
}
CUresult cuModuleUnload(uint64_t m) { CALL(" %d", (int)m); return 0; }
// declaration gives the place behind "name(" in a source.
static const char *declaration(const char *source, const char *name) {
    size_t length = strlen(name);
    for (const char *at = source; (at = strstr(at, name)); at += length)
        if (at > source && (at[-1] == ' ' || at[-1] == '\n') && at[length] == '(') return at + length + 1;
    return NULL;
}
CUresult cuModuleGetFunction(uint64_t *f, uint64_t m, const char *name) {
    CALL(" %d %s", (int)m, name);
    if (m < 1 || m > (uint64_t)module_count) return INVALID_HANDLE;
    const char *at = declaration(modules[m - 1], name); // says how many parameters it has
    if (!at) return NOT_FOUND;
    struct function *found = &functions[function_count++];
    snprintf(found->name, sizeof found->name, "%s", name);
    found->parameters = *at == ')' ? 0 : 1;
    found->shared = 48 << 10;
    for (; *at && *at != ')'; at++) found->parameters += *at == ',';
    *f = function_count;
    return 0;
}
CUresult cuFuncGetAttribute(int *v, int a, uint64_t f) { CALL(" %d %s", a, functions[f - 1].name); *v = a == 8 ? functions[f - 1].shared : 40 + a; return 0; }
CUresult cuFuncSetAttribute(uint64_t f, int a, int v) {
    CALL(" %s %d %d", functions[f - 1].name, a, v);
    if (a == 8) functions[f - 1].shared = v;
    return 0;
}
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *n, uint64_t f, int threads, size_t shared) {
    CALL(" %s %d %d", functions[f - 1].name, threads, (int)shared);
    *n = 2048 / threads;
    return 0;
}

// start takes a kernel's arguments as cuLaunchKernel does: before it returns.
static CUresult start(struct function *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, uint64_t stream, void **params) {
    struct operation o = {.kind = KERNEL, .function = f, .threads = gx * gy * gz * bx * by * bz, .grid = {gx, gy, gz}, .block = {bx, by, bz}};
    text(" (");
    for (int i = 0; i < f->parameters; i++) {
        memcpy(&o.args[i], params[i], 8);
        text("%s%s", i ? " " : "", where(o.args[i]));
    }
    text(")\n");
    return queue(stream, &o);
}
CUresult cuLaunchKernel(uint64_t f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, uint64_t s, void **params, void **extra) {
    text("%s %s grid %u %u %u block %u %u %u shared %u stream %d extra %d", __func__, functions[f - 1].name, gx, gy, gz, bx, by, bz, shared, (int)s, extra != NULL);
    int code = fails(__func__);
    if (!code && shared > (unsigned)functions[f - 1].shared) code = INVALID_VALUE;
    if (code) { text("\n"); return code; }
    return start(&functions[f - 1], gx, gy, gz, bx, by, bz, s, params);
}
struct attribute { int id; char pad[4]; unsigned cluster[3]; char rest[52]; };
struct config { unsigned grid[3], block[3], shared; uint64_t stream; struct attribute *attributes; unsigned count; };
CUresult cuLaunchKernelEx(const struct config *c, uint64_t f, void **params, void **extra) {
    (void)extra;
    text("%s %s grid %u %u %u block %u %u %u shared %u stream %d", __func__, functions[f - 1].name, c->grid[0], c->grid[1], c->grid[2], c->block[0], c->block[1], c->block[2], c->shared, (int)c->stream);
    for (unsigned i = 0; i < c->count; i++) text(" attribute %d: %u %u %u", c->attributes[i].id, c->attributes[i].cluster[0], c->attributes[i].cluster[1], c->attributes[i].cluster[2]);
    int code = fails(__func__);
    if (code) { text("\n"); return code; }
    return start(&functions[f - 1], c->grid[0], c->grid[1], c->grid[2], c->block[0], c->block[1], c->block[2], c->stream, params);
}

CUresult cuMemAlloc_v2(CUdeviceptr *m, size_t bytes) { CALL(" %zu", bytes); char *p = reserve(bytes, 0); *m = (uint64_t)(uintptr_t)p; return p ? 0 : 2; }
CUresult cuMemFree_v2(CUdeviceptr m) { CALL(" %s", where(m)); return release(m, 0); }
CUresult cuMemHostAlloc(void **p, size_t bytes, unsigned flags) { CALL(" %zu %u", bytes, flags); *p = reserve(bytes, 1); return *p ? 0 : 2; }
CUresult cuMemFreeHost(void *p) { CALL(" %s", where((uint64_t)(uintptr_t)p)); return release((uint64_t)(uintptr_t)p, 1); }
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, uint64_t s) {
    CALL(" %s %s %zu stream %d", where(to), where((uint64_t)(uintptr_t)from), bytes, (int)s);
    if (!inside(to, bytes)) return INVALID_VALUE;
    struct operation o = {.kind = UPLOAD, .to = to, .from = from, .bytes = bytes};
    return queue(s, &o);
}
CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, uint64_t s) {
    CALL(" %s %s %zu stream %d", where((uint64_t)(uintptr_t)to), where(from), bytes, (int)s);
    if (!inside(from, bytes)) return INVALID_VALUE;
    struct operation o = {.kind = DOWNLOAD, .host = to, .source = from, .bytes = bytes};
    return queue(s, &o);
}
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, uint64_t s) {
    CALL(" %s %s %zu stream %d", where(to), where(from), bytes, (int)s);
    if (!inside(to, bytes) || !inside(from, bytes)) return INVALID_VALUE;
    struct operation o = {.kind = COPY, .to = to, .source = from, .bytes = bytes};
    return queue(s, &o);
}
CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes, uint64_t s) {
    CALL(" %s %u %zu stream %d", where(to), value, bytes, (int)s);
    if (!inside(to, bytes)) return INVALID_VALUE;
    struct operation o = {.kind = FILL, .to = to, .value = value, .bytes = bytes};
    return queue(s, &o);
}

CUresult cuStreamCreate(uint64_t *s, unsigned flags) { CALL(" %u", flags); *s = ++stream_count; return 0; }
CUresult cuStreamDestroy_v2(uint64_t s) { CALL(" %d", (int)s); return 0; }
CUresult cuStreamSynchronize(uint64_t s) { CALL(" %d", (int)s); return capturing[s] ? 900 : 0; }
CUresult cuStreamWaitEvent(uint64_t s, uint64_t e, unsigned flags) {
    CALL(" %d %d %u", (int)s, (int)e, flags);
    struct graph *g = event_graph[e];
    if (!g) return 0;
    uint64_t from = event_stream[e];
    capturing[s] = g; // the stream joins the capture
    if (from != s && unjoined[from] == event_covers[e]) {
        if (s != g->origin) unjoined[s] += unjoined[from];
        unjoined[from] = 0;
    }
    return 0;
}
CUresult cuEventCreate(uint64_t *e, unsigned flags) { CALL(" %u", flags); *e = ++event_count; return 0; }
CUresult cuEventDestroy_v2(uint64_t e) { CALL(" %d", (int)e); return 0; }
CUresult cuEventRecord(uint64_t e, uint64_t s) {
    CALL(" %d stream %d", (int)e, (int)s);
    event_times[e] = clock_ms, event_graph[e] = capturing[s], event_stream[e] = s, event_covers[e] = unjoined[s];
    return 0;
}
CUresult cuEventSynchronize(uint64_t e) { CALL(" %d", (int)e); busy_queries = 0; return 0; }
CUresult cuEventQuery(uint64_t e) { CALL(" %d", (int)e); return busy_queries > 0 ? (busy_queries--, NOT_READY) : 0; }
CUresult cuEventElapsedTime(float *ms, uint64_t from, uint64_t to) { CALL(" %d %d", (int)from, (int)to); *ms = event_times[to] - event_times[from]; return 0; }

CUresult cuStreamBeginCapture_v2(uint64_t s, int mode) { CALL(" %d %d", (int)s, mode); capturing[s] = calloc(1, sizeof(struct graph)); capturing[s]->origin = s; return 0; }
CUresult cuStreamEndCapture(uint64_t s, uint64_t *g) {
    struct graph *captured = capturing[s];
    text("%s %d\n", __func__, (int)s);
    int code = captured ? fails(__func__) : 901;
    if (code) {
        if (captured) captured->count = 0;
        return code;
    }
    int open = 0;
    for (int i = 0; i <= stream_count; i++) {
        if (capturing[i] != captured) continue;
        open += unjoined[i];
        capturing[i] = NULL, unjoined[i] = 0;
    }
    for (int i = 0; i <= event_count; i++)
        if (event_graph[i] == captured) event_graph[i] = NULL;
    if (open) return CAPTURE_UNJOINED;
    graphs[graph_count++] = captured;
    *g = graph_count;
    return 0;
}
CUresult cuGraphGetNodes(uint64_t g, void *nodes, size_t *n) { CALL(" %d %d", (int)g, nodes != NULL); *n = graphs[g - 1]->count; return 0; }
CUresult cuGraphInstantiateWithFlags(uint64_t *x, uint64_t g, unsigned long long flags) { CALL(" %d %llu", (int)g, flags); execs[exec_count++] = graphs[g - 1]; *x = exec_count; return 0; }
CUresult cuGraphLaunch(uint64_t x, uint64_t s) {
    CALL(" %d stream %d", (int)x, (int)s);
    struct graph *g = execs[x - 1];
    for (int i = 0; i < g->count; i++) perform(&g->list[i]);
    return 0;
}
CUresult cuGraphDestroy(uint64_t g) { CALL(" %d", (int)g); return 0; }
CUresult cuGraphExecDestroy(uint64_t x) { CALL(" %d", (int)x); return 0; }
