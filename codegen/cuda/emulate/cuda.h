// The part of the CUDA execution model that emitted kernels use, on a CPU:
// blocks, threads, shared memory, barriers and warp shuffles. Kernels are
// compiled with this header before them, unchanged.
//
// The threads of a block are fibers that run one at a time, in an order that
// the launch chooses, until they end or wait for each other. What a fault would
// do on a GPU by chance shows here for certain:
//
//   - An access outside a tensor. Each tensor of a launch lies by itself between
//     pages that must not be touched, at their very end in one order and at
//     their very beginning in the next. Tensors that a kernel only reads cannot
//     be written. Arrays are checked by the compiler (-fsanitize=bounds).
//   - A missing barrier, or two threads that store one element. The launch runs
//     in several orders; its results must have the same bits in all.
//   - A read of what was not written. Shared memory and results begin as NaN.
//   - A barrier or shuffle that only some threads reach.
#pragma once

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define NETC_EMULATION 1
#define __global__
#define __device__ static
#define __forceinline__ inline
#define __launch_bounds__(threads)
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __shared__ static __attribute__((section("netc_shared")))

struct uint3 { unsigned x, y, z; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(4) uchar4 { unsigned char x, y, z, w; };
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uchar4 make_uchar4(unsigned char x, unsigned char y, unsigned char z, unsigned char w) { return {x, y, z, w}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline float __int_as_float(int bits) { float x; memcpy(&x, &bits, 4); return x; }
inline int __float_as_int(float x) { int bits; memcpy(&bits, &x, 4); return bits; }
inline float __uint_as_float(unsigned bits) { return __int_as_float((int)bits); }
inline unsigned __float_as_uint(float x) { return (unsigned)__float_as_int(x); }

static uint3 threadIdx, blockIdx, blockDim, gridDim;

namespace emulation {

const unsigned nan_bits = 0x7fc0deadu; // what memory that was never written holds
const int warp_size = 32;
const size_t stack_bytes = 128 << 10;
const size_t guard_bytes = size_t(64) << 20;

enum class State { ready, barrier, shuffle, done };

// Context is where a fiber that does not run goes on. On amd64 a switch saves
// the registers that a call must keep; elsewhere the C library does it, with a
// system call each time.
#if defined(__x86_64__)
using Context = void *; // the stack pointer
extern "C" void netc_switch(Context *from, Context to);
asm(R"(
.text
netc_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");
inline void switch_to(Context &from, Context &to) { netc_switch(&from, to); }
inline void start_at(Context &c, void (*entry)(), char *stack, size_t bytes)
{
    void **top = (void **)(stack + bytes) - 2; // entry sees the stack as after a call
    top[0] = (void *)entry;
    top[1] = nullptr;
    c = top - 6;
}
#else
using Context = ucontext_t;
inline void switch_to(Context &from, Context &to) { swapcontext(&from, &to); }
inline void start_at(Context &c, void (*entry)(), char *stack, size_t bytes)
{
    getcontext(&c);
    c.uc_stack.ss_sp = stack;
    c.uc_stack.ss_size = bytes;
    c.uc_link = nullptr;
    makecontext(&c, entry, 0);
}
#endif

struct Fiber {
    Context context;
    State state;
    unsigned posted[6]; // what the thread gives to a shuffle or a product of its warp
};

// A region of memory that a kernel may touch, between pages that it may not.
struct Buffer {
    char *reserved, *data;
    size_t reserved_bytes, bytes;
    long offset; // in the device memory
    long element; // bytes of one
    std::string name;
};

inline const char *kernel = "";
inline std::vector<Buffer> buffers;
inline std::vector<Fiber> fibers;
inline std::vector<char *> stacks;
inline Context scheduler;
inline int current = -1; // the running thread; -1 when threads are plain calls
inline void (*body)(void **);
inline void **arguments;
inline uint3 block_size;

[[noreturn]] inline void fail(const char *what)
{
    fprintf(stderr, "kernel %s, block (%u,%u,%u), thread %u: %s\n", kernel, blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, what);
    fflush(stderr);
    _exit(3);
}

// fault reports the access that stopped a kernel.
inline void fault(int number, siginfo_t *info, void *)
{
    char text[512];
    const char *at = (const char *)info->si_addr;
    if (number == SIGILL || number == SIGTRAP) fail("an index is outside of an array");
    for (const Buffer &b : buffers)
        if (at >= b.reserved && at < b.reserved + b.reserved_bytes) {
            long element = (at - b.data) / b.element - (at < b.data && (at - b.data) % b.element != 0);
            if (at >= b.data && at < b.data + b.bytes)
                snprintf(text, sizeof text, "writes element %ld of %s, which it only reads", element, b.name.c_str());
            else
                snprintf(text, sizeof text, "element %ld of %s is outside of it: it has %zu", element, b.name.c_str(), b.bytes / b.element);
            fail(text);
        }
    fail("an access outside of all tensors");
}

inline void catch_faults()
{
    static char stack[64 << 10];
    stack_t s = {};
    s.ss_sp = stack;
    s.ss_size = sizeof stack;
    sigaltstack(&s, nullptr);
    struct sigaction a = {};
    a.sa_sigaction = fault;
    a.sa_flags = SA_SIGINFO | SA_ONSTACK;
    for (int number : {SIGSEGV, SIGBUS, SIGILL, SIGTRAP}) sigaction(number, &a, nullptr);
}

inline void set_thread(int t)
{
    threadIdx = {t % block_size.x, t / block_size.x % block_size.y, t / block_size.x / block_size.y};
}

// wait hands over to the scheduler until the threads waited for are there.
inline void wait(State s)
{
    if (current < 0) fail("a kernel without barriers waits at one");
    Fiber &f = fibers[current];
    f.state = s;
    switch_to(f.context, scheduler);
}

inline void run_fiber()
{
    body(arguments);
    fibers[current].state = State::done;
    switch_to(fibers[current].context, scheduler);
}

// order_of is the order in which the threads of a block run: forwards,
// backwards, or shuffled by the number of the order.
inline std::vector<int> order_of(int count, int order)
{
    std::vector<int> list(count);
    for (int i = 0; i < count; i++) list[i] = order == 1 ? count - 1 - i : i;
    uint64_t random = 0x9e3779b97f4a7c15u * (order + 1);
    for (int i = count - 1; order > 1 && i > 0; i--) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        std::swap(list[i], list[(random >> 33) % (i + 1)]);
    }
    return list;
}

extern "C" char __start_netc_shared[] __attribute__((weak));
extern "C" char __stop_netc_shared[] __attribute__((weak));

inline void poison(char *from, size_t bytes)
{
    for (size_t i = 0; i + 4 <= bytes && i < 4096; i += 4) memcpy(from + i, &nan_bits, 4);
    for (size_t done = 4096; done < bytes; done *= 2) memcpy(from + done, from, std::min(done, bytes - done));
}

// run_warp runs the threads of a warp until all are at a barrier or at their end.
inline void run_warp(int warp, const std::vector<int> &order)
{
    for (;;) {
        int waiting = 0;
        for (int t : order) {
            if (t / warp_size != warp) continue;
            Fiber &f = fibers[t];
            if (f.state == State::ready) {
                current = t;
                set_thread(t);
                switch_to(scheduler, f.context);
            }
            waiting += f.state == State::shuffle;
        }
        if (waiting == 0) return;
        if (waiting < warp_size) fail("only some threads of the warp reach a shuffle");
        for (int t : order)
            if (t / warp_size == warp) fibers[t].state = State::ready;
    }
}

// run_block runs one block, whose index is set, to its end.
inline void run_block(const std::vector<int> &order, bool waits)
{
    const int count = order.size();
    if (!waits) {
        current = -1;
        for (int t : order) {
            set_thread(t);
            body(arguments);
        }
        return;
    }
    poison(__start_netc_shared, __stop_netc_shared - __start_netc_shared);
    if ((int)fibers.size() < count) fibers.resize(count);
    while ((int)stacks.size() < count) {
        void *s = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (s == MAP_FAILED) fail("no memory for the stack of a thread");
        stacks.push_back((char *)s);
    }
    for (int t = 0; t < count; t++) {
        Fiber &f = fibers[t];
        f.state = State::ready;
        start_at(f.context, run_fiber, stacks[t], stack_bytes);
    }
    // Each warp runs as far as it can by itself, so that warps are as far apart
    // as a GPU could let them be.
    std::vector<int> warps;
    for (int t : order)
        if (std::find(warps.begin(), warps.end(), t / warp_size) == warps.end()) warps.push_back(t / warp_size);
    for (;;) {
        for (int w : warps) run_warp(w, order);
        int done = 0;
        for (int t = 0; t < count; t++) done += fibers[t].state == State::done;
        if (done == count) return;
        if (done > 0) fail("only some threads of the block reach a barrier");
        for (int t = 0; t < count; t++) fibers[t].state = State::ready;
    }
}

// exchange posts words for the warp and waits until all its threads have; a
// second wait keeps them until all have read.
template <class Read>
inline void exchange(const unsigned *words, int count, Read read)
{
    Fiber &f = fibers[current < 0 ? 0 : current];
    if (current >= 0) memcpy(f.posted, words, 4 * count);
    wait(State::shuffle);
    read(&fibers[current / warp_size * warp_size]);
    wait(State::shuffle);
}

struct Argument {
    long offset;
    size_t bytes;
    long element; // bytes of one
    bool written;
    std::string name;
};

struct Launch {
    std::string kernel;
    uint3 grid, block;
    bool waits; // it has shared memory, barriers or shuffles
    std::vector<Argument> arguments;
};

struct Kernel {
    const char *name;
    int parameters;
    void (*call)(void **);
};

template <class... P, size_t... I>
inline void call(void (*f)(P...), void **a, std::index_sequence<I...>) { f((P)a[I]...); }

template <auto f>
struct Entry;
template <class... P, void (*f)(P...)>
struct Entry<f> {
    static void run(void **a) { call(f, a, std::make_index_sequence<sizeof...(P)>()); }
    static constexpr int parameters = sizeof...(P);
};

// place maps a region of the device memory to a buffer of its own.
inline Buffer place(const Argument &a, bool at_end)
{
    const size_t page = 4096, pages = (a.bytes + page - 1) / page * page;
    Buffer b = {};
    b.reserved_bytes = pages + 2 * guard_bytes;
    b.reserved = (char *)mmap(nullptr, b.reserved_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (b.reserved == MAP_FAILED || mprotect(b.reserved + guard_bytes, pages, PROT_READ | PROT_WRITE) != 0) fail("no memory for a tensor");
    b.data = b.reserved + guard_bytes + (at_end ? pages - a.bytes : 0);
    b.bytes = a.bytes;
    b.offset = a.offset;
    b.element = a.element;
    b.name = a.name;
    return b;
}

// launch_once runs a kernel on the device memory in one order of threads.
inline void launch_once(const Launch &l, const Kernel &k, std::vector<char> &memory, int order, const std::vector<std::string> &begun)
{
    kernel = k.name;
    std::vector<Argument> regions; // those that overlap are one
    for (const Argument &a : l.arguments) {
        Argument r = a;
        for (size_t i = 0; i < regions.size();) {
            const Argument &o = regions[i];
            if (r.offset < o.offset + (long)o.bytes && o.offset < r.offset + (long)r.bytes && (r.written || o.written)) {
                long end = std::max(r.offset + (long)r.bytes, o.offset + (long)o.bytes);
                r.offset = std::min(r.offset, o.offset);
                r.bytes = end - r.offset;
                r.written = true;
                regions.erase(regions.begin() + i);
                i = 0;
                continue;
            }
            i++;
        }
        regions.push_back(r);
    }
    buffers.clear();
    for (const Argument &r : regions) {
        Buffer b = place(r, order % 2 == 0);
        memcpy(b.data, &memory[r.offset], r.bytes);
        buffers.push_back(b);
    }
    std::vector<void *> pointers;
    for (const Argument &a : l.arguments)
        for (size_t i = 0; i < regions.size(); i++)
            if (a.offset >= regions[i].offset && a.offset + a.bytes <= regions[i].offset + regions[i].bytes && a.written <= regions[i].written) {
                char *at = buffers[i].data + (a.offset - regions[i].offset);
                if (a.written && regions[i].bytes == a.bytes && regions[i].name == a.name) {
                    bool read = std::find(begun.begin(), begun.end(), a.name) != begun.end();
                    for (const Argument &b : l.arguments) read |= !b.written && b.offset == a.offset;
                    if (!read) poison(at, a.bytes);
                }
                pointers.push_back(at);
                break;
            }
    for (size_t i = 0; i < regions.size(); i++)
        if (!regions[i].written) {
            size_t pages = buffers[i].reserved_bytes - 2 * guard_bytes;
            mprotect(buffers[i].reserved + guard_bytes, pages, PROT_READ);
        }
    body = k.call;
    arguments = pointers.data();
    gridDim = l.grid;
    blockDim = block_size = l.block;
    const std::vector<int> blocks = order_of(l.grid.x * l.grid.y * l.grid.z, order);
    const std::vector<int> threads = order_of(l.block.x * l.block.y * l.block.z, order);
    for (int b : blocks) {
        blockIdx = {b % l.grid.x, b / l.grid.x % l.grid.y, b / l.grid.x / l.grid.y};
        run_block(threads, l.waits);
    }
    for (size_t i = 0; i < regions.size(); i++) {
        if (regions[i].written) memcpy(&memory[regions[i].offset], buffers[i].data, regions[i].bytes);
        munmap(buffers[i].reserved, buffers[i].reserved_bytes);
    }
    buffers.clear();
}

// launch runs a kernel in several orders and compares what it left.
// begun lists the tensors that kernels before it have stored: it may store the
// rest of them.
inline void launch(const Launch &l, const Kernel &k, std::vector<char> &memory, int orders, std::vector<std::string> &begun)
{
    if ((int)l.arguments.size() != k.parameters) {
        fprintf(stderr, "kernel %s takes %d pointers, the launch gives %zu\n", k.name, k.parameters, l.arguments.size());
        _exit(3);
    }
    const std::vector<char> before = orders > 1 ? memory : std::vector<char>();
    launch_once(l, k, memory, 0, begun);
    for (int order = 1; order < orders; order++) {
        std::vector<char> again = before;
        launch_once(l, k, again, order, begun);
        if (memory == again) continue;
        for (const Argument &a : l.arguments)
            for (size_t i = 0; i < a.bytes; i += a.element)
                if (memcmp(&memory[a.offset + i], &again[a.offset + i], a.element) != 0) {
                    fprintf(stderr, "kernel %s: element %zu of %s depends on the order in which the threads run\n", k.name, i / a.element, a.name.c_str());
                    _exit(3);
                }
    }
    for (const Argument &a : l.arguments)
        if (a.written) begun.push_back(a.name);
}

// run carries out the launches of a job file on the device memory of another.
inline int run(int argc, char **argv, const std::vector<Kernel> &kernels)
{
    if (argc != 3) return 2;
    catch_faults();
    FILE *job = fopen(argv[1], "r"), *image = fopen(argv[2], "r+b");
    if (!job || !image) return 2;
    size_t bytes, launches;
    int orders;
    if (fscanf(job, "%zu %d %zu", &bytes, &orders, &launches) != 3) return 2;
    std::vector<char> memory(bytes);
    std::vector<std::string> begun;
    if (fread(memory.data(), 1, bytes, image) != bytes) return 2;
    for (size_t n = 0; n < launches; n++) {
        char name[1024];
        Launch l;
        int waits, count;
        if (fscanf(job, "%1023s %u %u %u %u %u %u %d %d", name, &l.grid.x, &l.grid.y, &l.grid.z, &l.block.x, &l.block.y, &l.block.z, &waits, &count) != 9) return 2;
        l.kernel = name;
        l.waits = waits;
        for (int i = 0; i < count; i++) {
            Argument a;
            int written;
            if (fscanf(job, "%ld %zu %ld %d %1023s", &a.offset, &a.bytes, &a.element, &written, name) != 5) return 2;
            a.written = written;
            a.name = name;
            if (written > 1) begun.push_back(name); // by launches of jobs before
            if (a.offset < 0 || a.offset + a.bytes > bytes) {
                fprintf(stderr, "kernel %s: %s lies outside of the device memory\n", l.kernel.c_str(), name);
                return 3;
            }
            l.arguments.push_back(a);
        }
        const Kernel *found = nullptr;
        for (const Kernel &k : kernels)
            if (l.kernel == k.name) found = &k;
        if (!found) {
            fprintf(stderr, "there is no kernel %s\n", l.kernel.c_str());
            return 3;
        }
        launch(l, *found, memory, orders, begun);
    }
    rewind(image);
    return fwrite(memory.data(), 1, bytes, image) == bytes && fclose(image) == 0 ? 0 : 2;
}

} // namespace emulation

inline void __syncthreads() { emulation::wait(emulation::State::barrier); }
inline void __syncwarp() { emulation::wait(emulation::State::shuffle); }

inline float __shfl_xor_sync(unsigned mask, float x, int distance)
{
    if (mask != 0xffffffffu) emulation::fail("a shuffle that leaves out threads");
    unsigned word;
    memcpy(&word, &x, 4);
    float got = 0;
    emulation::exchange(&word, 1, [&](const emulation::Fiber *warp) {
        memcpy(&got, warp[(emulation::current % emulation::warp_size) ^ distance].posted, 4);
    });
    return got;
}

// Tensor cores: the operands' elements as the warp's threads hold them, by the
// tables of the PTX ISA, and sums in float32.

inline float toTF32(float x)
{
    unsigned bits = __float_as_uint(x);
    if ((bits & 0x7f800000u) == 0x7f800000u) return x;
    return __uint_as_float((bits + 0x1000u) & 0xffffe000u); // to nearest, ties away from 0
}

inline unsigned toBF16(float low, float high)
{
    unsigned words[2] = {__float_as_uint(low), __float_as_uint(high)};
    for (unsigned &w : words) w = (w & 0x7fffffffu) > 0x7f800000u ? w >> 16 | 0x40u : (w + 0x7fffu + (w >> 16 & 1u)) >> 16; // ties to even
    return words[0] | words[1] << 16;
}

namespace emulation {

// multiply adds the product of a 16 x terms matrix, whose element (row, term) is
// a(warp, row, term), and a terms x 8 matrix to the four sums of a thread.
template <class A, class B>
inline void multiply(float sum[4], const unsigned a_words[4], const unsigned b_words[2], int terms, A a, B b)
{
    unsigned words[6] = {a_words[0], a_words[1], a_words[2], a_words[3], b_words[0], b_words[1]};
    exchange(words, 6, [&](const Fiber *warp) {
        const int lane = current % warp_size;
        for (int n = 0; n < 4; n++) {
            const int row = lane / 4 + n / 2 * 8, column = lane % 4 * 2 + n % 2;
            for (int term = 0; term < terms; term++) sum[n] += a(warp, row, term) * b(warp, term, column);
        }
    });
}

inline float half_word(unsigned word, int half) { return __uint_as_float(half ? word & 0xffff0000u : word << 16); }

} // namespace emulation

inline void multiplyTF32(float sum[4], const unsigned a[4], const unsigned b[2])
{
    for (int i = 0; i < 4; i++)
        if (a[i] & 0x1fffu || b[i % 2] & 0x1fffu) emulation::fail("an operand is not in tf32");
    emulation::multiply(
        sum, a, b, 8,
        [](const emulation::Fiber *warp, int row, int term) { return __uint_as_float(warp[row % 8 * 4 + term % 4].posted[row / 8 + term / 4 * 2]); },
        [](const emulation::Fiber *warp, int term, int column) { return __uint_as_float(warp[column * 4 + term % 4].posted[4 + term / 4]); });
}

inline void multiplyBF16(float sum[4], const unsigned a[4], const unsigned b[2])
{
    emulation::multiply(
        sum, a, b, 16,
        [](const emulation::Fiber *warp, int row, int term) {
            return emulation::half_word(warp[row % 8 * 4 + term % 8 / 2].posted[row / 8 + term / 8 * 2], term % 2);
        },
        [](const emulation::Fiber *warp, int term, int column) {
            return emulation::half_word(warp[column * 4 + term % 8 / 2].posted[4 + term / 8], term % 2);
        });
}
