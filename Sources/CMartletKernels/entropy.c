#include "martlet_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))

// For each mask of lanes that take a word, the word that each lane takes.
static uint32_t words_of[256][8];

__attribute__((constructor)) static void fill_words(void) {
    for (int mask = 0; mask < 256; mask++) {
        uint32_t next = 0;
        for (int lane = 0; lane < 8; lane++) words_of[mask][lane] = (mask >> lane) & 1 ? next++ : 0;
    }
}

AVX2 long martlet_rans_decode(
    const uint16_t *words, const uint16_t *end, uint32_t *states, const uint32_t *tables, unsigned bits,
    const int32_t *thresholds, size_t rows, uint8_t *output) {
    const uint16_t *p = words;
    const __m256i mask = _mm256_set1_epi32((int)((1u << bits) - 1));
    const __m256i byte = _mm256_set1_epi32(0xff), twelve = _mm256_set1_epi32(0xfff), zero = _mm256_setzero_si256();
    const __m128i shift = _mm_cvtsi32_si128((int)bits);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i t0 = _mm256_set1_epi32(thresholds[0]), t1 = _mm256_set1_epi32(thresholds[1]),
                  t2 = _mm256_set1_epi32(thresholds[2]);
    const int contextual = thresholds[0] < 512;
    __m256i x[4], before[4], context[4], symbol[4];
    for (int group = 0; group < 4; group++) {
        x[group] = _mm256_loadu_si256((const __m256i *)(states + 8 * group));
        before[group] = zero;
        context[group] = zero;
    }
#define STEP(group)                                                                                                 \
    {                                                                                                               \
        __m256i slot = _mm256_and_si256(x[group], mask);                                                            \
        if (contextual) slot = _mm256_add_epi32(slot, context[group]);                                              \
        __m256i entry = _mm256_i32gather_epi32((const int *)tables, slot, 4);                                       \
        symbol[group] = _mm256_and_si256(entry, byte);                                                              \
        __m256i frequency = _mm256_and_si256(_mm256_srli_epi32(entry, 8), twelve);                                  \
        __m256i state = _mm256_add_epi32(                                                                           \
            _mm256_mullo_epi32(frequency, _mm256_srl_epi32(x[group], shift)), _mm256_srli_epi32(entry, 20));        \
        __m256i needs = _mm256_cmpeq_epi32(_mm256_srli_epi32(state, 16), zero);                                     \
        unsigned lanes = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(needs));                                  \
        __m256i fresh = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));                                 \
        fresh = _mm256_permutevar8x32_epi32(fresh, _mm256_loadu_si256((const __m256i *)words_of[lanes]));           \
        __m256i refilled = _mm256_or_si256(_mm256_slli_epi32(state, 16), fresh);                                    \
        x[group] = _mm256_blendv_epi8(state, refilled, needs);                                                      \
        p += _mm_popcnt_u32(lanes);                                                                                 \
        if (contextual) {                                                                                           \
            __m256i sum = _mm256_add_epi32(symbol[group], before[group]);                                           \
            before[group] = symbol[group];                                                                          \
            __m256i above = _mm256_add_epi32(                                                                       \
                _mm256_add_epi32(_mm256_cmpgt_epi32(sum, t0), _mm256_cmpgt_epi32(sum, t1)),                         \
                _mm256_cmpgt_epi32(sum, t2));                                                                       \
            context[group] = _mm256_sll_epi32(_mm256_sub_epi32(zero, above), shift);                                \
        }                                                                                                           \
    }
    for (size_t row = 0; row < rows; row++) {
        if (p > end) return -1;
        STEP(0)
        STEP(1)
        STEP(2)
        STEP(3)
        __m256i low = _mm256_packus_epi32(symbol[0], symbol[1]), high = _mm256_packus_epi32(symbol[2], symbol[3]);
        __m256i packed = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), order);
        _mm256_storeu_si256((__m256i *)(output + row * 32), packed);
    }
#undef STEP
    if (p > end) return -1;
    for (int group = 0; group < 4; group++) _mm256_storeu_si256((__m256i *)(states + 8 * group), x[group]);
    return p - words;
}

// Four rounds of interleaving row i with row i + 8 transpose 16 by 16 bytes.
AVX2 static inline void transpose16(const uint8_t *input, size_t stride, uint8_t *output, size_t step) {
    __m128i a[16], b[16];
    for (int i = 0; i < 16; i++) a[i] = _mm_loadu_si128((const __m128i *)(input + (size_t)i * stride));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 8; i++) {
            b[2 * i] = _mm_unpacklo_epi8(a[i], a[i + 8]);
            b[2 * i + 1] = _mm_unpackhi_epi8(a[i], a[i + 8]);
        }
        for (int i = 0; i < 8; i++) {
            a[2 * i] = _mm_unpacklo_epi8(b[i], b[i + 8]);
            a[2 * i + 1] = _mm_unpackhi_epi8(b[i], b[i + 8]);
        }
    }
    for (int i = 0; i < 16; i++) _mm_storeu_si128((__m128i *)(output + (size_t)i * step), a[i]);
}

AVX2 void martlet_transpose32(const uint8_t *input, size_t rows, uint8_t *output) {
    for (size_t row = 0;; row += 16) {
        // The last block of rows may overlap the one before it.
        if (row + 16 > rows) row = rows - 16;
        transpose16(input + row * 32, 32, output + row, rows);
        transpose16(input + row * 32 + 16, 32, output + 16 * rows + row, rows);
        if (row + 16 == rows) return;
    }
}

// The low byte of an entry serves bzhi as it is: the instruction reads no more of its index.
#define TAKE(index, adjust)                                                                                         \
    {                                                                                                               \
        uint64_t entry = entries[codes[index]];                                                                     \
        output[index] = (__typeof__(*output))(((entry >> 8) + _bzhi_u64(word, (unsigned)entry)) adjust);            \
        word >>= entry & 0xff;                                                                                      \
        at += entry & 0xff;                                                                                         \
    }

#define WINDOW(place)                                                                                               \
    uint64_t word;                                                                                                  \
    memcpy(&word, bits + (place), 8);                                                                               \
    word >>= at & 7;

// As many numbers from one window of 64 bits as it surely holds; where the window might lie beyond `last`, one by one.
#define EXPAND(count, adjust)                                                                                       \
    size_t i = 0;                                                                                                   \
    if (longest <= 19) {                                                                                            \
        for (; i + 3 <= (count) && at >> 3 <= last; i += 3) {                                                       \
            WINDOW(at >> 3) TAKE(i, adjust) TAKE(i + 1, adjust) TAKE(i + 2, adjust)                                 \
        }                                                                                                           \
    } else if (longest <= 28) {                                                                                     \
        for (; i + 2 <= (count) && at >> 3 <= last; i += 2) { WINDOW(at >> 3) TAKE(i, adjust) TAKE(i + 1, adjust) } \
    }                                                                                                               \
    for (; i < (count); i++) { WINDOW(at >> 3 < last ? at >> 3 : last) TAKE(i, adjust) }

AVX2 uint64_t martlet_expand64(
    const uint8_t *restrict codes, size_t count, const uint64_t *restrict entries, unsigned longest,
    const uint8_t *restrict bits, uint64_t offset, uint64_t last, uint64_t *restrict output) {
    uint64_t at = offset;
    EXPAND(count, )
    return at;
}

AVX2 uint64_t martlet_expand32(
    const uint8_t *restrict codes, const uint64_t *restrict entries, unsigned longest, unsigned plain,
    const uint8_t *restrict bits, uint64_t offset, uint64_t last, unsigned shift, uint32_t *restrict output) {
    uint64_t at = offset;
    if (plain == 0) {
        if (shift) {
            EXPAND(1024, << 1)
        } else {
            EXPAND(1024, )
        }
        return at;
    }
    const __m128i up = _mm_cvtsi32_si128((int)shift), highest = _mm_set1_epi8((char)(plain - 1));
    for (size_t start = 0; start < 1024; start += 16) {
        __m128i symbols = _mm_loadu_si128((const __m128i *)(codes + start));
        __m256i low = _mm256_cvtepu8_epi32(symbols), high = _mm256_cvtepu8_epi32(_mm_srli_si128(symbols, 8));
        _mm256_storeu_si256((__m256i *)(output + start), _mm256_sll_epi32(low, up));
        _mm256_storeu_si256((__m256i *)(output + start + 8), _mm256_sll_epi32(high, up));
        unsigned others =
            ~(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(symbols, highest), highest)) & 0xffffu;
        for (; others; others &= others - 1) {
            size_t i = start + _tzcnt_u32(others);
            WINDOW(at >> 3 < last ? at >> 3 : last)
            TAKE(i, << shift)
        }
    }
    return at;
}

#endif
