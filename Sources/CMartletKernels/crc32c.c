#include "martlet_kernels.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <nmmintrin.h>
#include <string.h>

int martlet_has_sse42(void) {
    static int known = -1;
    int state = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (state < 0) {
        state = __builtin_cpu_supports("sse4.2") != 0;
        __atomic_store_n(&known, state, __ATOMIC_RELAXED);
    }
    return state;
}

// Three streams hide the crc32 instruction's latency of three cycles. The streams' checksums are joined by
// multiplying with x^(8 * length) modulo the polynomial, here as a 4 x 256 table per stream length.
enum { long_stream = 4096, short_stream = 256 };

static uint32_t long_shift[4][256], short_shift[4][256];

static uint32_t multiply(uint32_t a, uint32_t b) {
    uint32_t product = 0;
    for (uint32_t bit = 1u << 31; bit; bit >>= 1) {
        if (a & bit) product ^= b;
        b = (b >> 1) ^ ((b & 1) ? 0x82f63b78u : 0);
    }
    return product;
}

static void fill(uint32_t table[4][256], size_t bytes) {
    // x^(8 * bytes) by squaring; in the reflected domain 1 is 1 << 31 and x is 1 << 30.
    uint32_t power = 1u << 31, square = 1u << 30;
    for (size_t exponent = 8 * bytes; exponent; exponent >>= 1) {
        if (exponent & 1) power = multiply(power, square);
        square = multiply(square, square);
    }
    for (int byte = 0; byte < 4; byte++)
        for (uint32_t value = 0; value < 256; value++) table[byte][value] = multiply(power, value << (8 * byte));
}

__attribute__((constructor)) static void fill_tables(void) {
    fill(long_shift, long_stream);
    fill(short_shift, short_stream);
}

static inline uint32_t shift(uint32_t table[4][256], uint32_t crc) {
    return table[0][crc & 0xff] ^ table[1][(crc >> 8) & 0xff] ^ table[2][(crc >> 16) & 0xff] ^ table[3][crc >> 24];
}

static inline uint64_t load(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}

#define THREE_STREAMS(length, table)                                                                        \
    while (count >= 3 * (length)) {                                                                         \
        uint64_t a = crc, b = 0, c = 0;                                                                     \
        for (size_t i = 0; i < (length); i += 8) {                                                          \
            a = _mm_crc32_u64(a, load(p + i));                                                              \
            b = _mm_crc32_u64(b, load(p + (length) + i));                                                   \
            c = _mm_crc32_u64(c, load(p + 2 * (length) + i));                                               \
        }                                                                                                   \
        crc = shift(table, (uint32_t)a) ^ (uint32_t)b;                                                      \
        crc = shift(table, (uint32_t)crc) ^ (uint32_t)c;                                                    \
        p += 3 * (length);                                                                                  \
        count -= 3 * (length);                                                                              \
    }

__attribute__((target("sse4.2"))) uint32_t martlet_crc32c(uint32_t seed, const void *bytes, size_t count) {
    const uint8_t *p = bytes;
    uint64_t crc = (uint32_t)~seed;
    THREE_STREAMS(long_stream, long_shift)
    THREE_STREAMS(short_stream, short_shift)
    for (; count >= 8; count -= 8, p += 8) crc = _mm_crc32_u64(crc, load(p));
    for (; count > 0; count--, p++) crc = _mm_crc32_u8((uint32_t)crc, *p);
    return ~(uint32_t)crc;
}

#endif
