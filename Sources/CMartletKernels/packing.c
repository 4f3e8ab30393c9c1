#include "martlet_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))

int martlet_has_avx2(void) {
    static int known = -1;
    int state = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (state < 0) {
        state = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
                __builtin_cpu_supports("lzcnt");
        __atomic_store_n(&known, state, __ATOMIC_RELAXED);
    }
    return state;
}

AVX2 void martlet_unpack32(const void *input, unsigned width, uint32_t *output) {
    const __m256i *words = input;
    __m256i *target = (__m256i *)output;
    const __m256i mask = _mm256_set1_epi32(width >= 32 ? -1 : (int)((1u << width) - 1));
    if (width == 0) {
        for (int i = 0; i < 128; i++) _mm256_storeu_si256(target + i, _mm256_setzero_si256());
        return;
    }
    for (unsigned row = 0; row < 32; row++) {
        unsigned bit = row * width, shift = bit & 31;
        const __m256i *low = words + (bit >> 5) * 4;
        const __m128i down = _mm_cvtsi32_si128((int)shift), up = _mm_cvtsi32_si128((int)(32 - shift));
        if (shift + width <= 32) {
            for (int lane = 0; lane < 4; lane++) {
                __m256i value = _mm256_srl_epi32(_mm256_loadu_si256(low + lane), down);
                _mm256_storeu_si256(target + row * 4 + lane, _mm256_and_si256(value, mask));
            }
        } else {
            for (int lane = 0; lane < 4; lane++) {
                __m256i value = _mm256_or_si256(
                    _mm256_srl_epi32(_mm256_loadu_si256(low + lane), down),
                    _mm256_sll_epi32(_mm256_loadu_si256(low + 4 + lane), up));
                _mm256_storeu_si256(target + row * 4 + lane, _mm256_and_si256(value, mask));
            }
        }
    }
}

AVX2 void martlet_reference_i64(const uint32_t *residuals, uint64_t base, uint64_t divisor, int64_t *output) {
    const __m256i low = _mm256_set1_epi64x((long long)(divisor & 0xffffffffu));
    const __m256i high = _mm256_set1_epi64x((long long)(divisor >> 32));
    const __m256i add = _mm256_set1_epi64x((long long)base);
    if (divisor == 1) {
        for (int i = 0; i < 1024; i += 4) {
            __m256i r = _mm256_cvtepu32_epi64(_mm_loadu_si128((const __m128i *)(residuals + i)));
            _mm256_storeu_si256((__m256i *)(output + i), _mm256_add_epi64(add, r));
        }
        return;
    }
    for (int i = 0; i < 1024; i += 4) {
        __m256i r = _mm256_cvtepu32_epi64(_mm_loadu_si128((const __m128i *)(residuals + i)));
        __m256i product =
            _mm256_add_epi64(_mm256_mul_epu32(r, low), _mm256_slli_epi64(_mm256_mul_epu32(r, high), 32));
        _mm256_storeu_si256((__m256i *)(output + i), _mm256_add_epi64(add, product));
    }
}

// The running sums of eight residuals, without the sum of those before them; the total in every lane of `total`.
AVX2 static inline __m256i scan(__m256i u, __m256i step, __m256i *total) {
    __m256i sign = _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_and_si256(u, _mm256_set1_epi32(1)));
    __m256i d = _mm256_add_epi32(_mm256_xor_si256(_mm256_srli_epi32(u, 1), sign), step);
    d = _mm256_add_epi32(d, _mm256_slli_si256(d, 4));
    d = _mm256_add_epi32(d, _mm256_slli_si256(d, 8));
    __m256i half = _mm256_shuffle_epi32(_mm256_permute2x128_si256(d, d, 0x08), 0xff);
    d = _mm256_add_epi32(d, half);
    *total = _mm256_permutevar8x32_epi32(d, _mm256_set1_epi32(7));
    return d;
}

// The first residual of a vector is zero and carries no step.
#define FIRST_CARRY(step) _mm256_set1_epi32(-(step))

AVX2 void martlet_delta_i64(
    const uint32_t *residuals, int32_t step, uint64_t base, uint64_t divisor, int64_t *output) {
    const __m256i low = _mm256_set1_epi64x((long long)(divisor & 0xffffffffu));
    const __m256i high = _mm256_set1_epi64x((long long)(divisor >> 32));
    const __m256i add = _mm256_set1_epi64x((long long)base), steps = _mm256_set1_epi32(step);
    __m256i carry = FIRST_CARRY(step), total;
    for (int i = 0; i < 1024; i += 8) {
        __m256i sums = scan(_mm256_loadu_si256((const __m256i *)(residuals + i)), steps, &total);
        sums = _mm256_add_epi32(sums, carry);
        carry = _mm256_add_epi32(carry, total);
        for (int half = 0; half < 2; half++) {
            __m128i four = half ? _mm256_extracti128_si256(sums, 1) : _mm256_castsi256_si128(sums);
            __m256i r = _mm256_cvtepi32_epi64(four);
            if (divisor != 1) {
                __m256i cross = _mm256_add_epi64(
                    _mm256_mul_epu32(r, high), _mm256_mul_epu32(_mm256_srli_epi64(r, 32), low));
                r = _mm256_add_epi64(_mm256_mul_epu32(r, low), _mm256_slli_epi64(cross, 32));
            }
            _mm256_storeu_si256((__m256i *)(output + i + 4 * half), _mm256_add_epi64(add, r));
        }
    }
}

AVX2 static inline __m256d scaled(__m128i four, __m256d add, __m256d scale) {
    return _mm256_add_pd(add, _mm256_mul_pd(_mm256_cvtepi32_pd(four), scale));
}

AVX2 void martlet_reference_f64(
    const uint32_t *residuals, double base, double divisor, double power, double *output) {
    const __m256d add = _mm256_set1_pd(base), scale = _mm256_set1_pd(divisor), by = _mm256_set1_pd(power);
    if (power == 1.0) {
        for (int i = 0; i < 1024; i += 4)
            _mm256_storeu_pd(output + i, scaled(_mm_loadu_si128((const __m128i *)(residuals + i)), add, scale));
        return;
    }
    for (int i = 0; i < 1024; i += 4)
        _mm256_storeu_pd(
            output + i,
            _mm256_div_pd(scaled(_mm_loadu_si128((const __m128i *)(residuals + i)), add, scale), by));
}

AVX2 void martlet_delta_f64(
    const uint32_t *residuals, int32_t step, double base, double divisor, double power, double *output) {
    const __m256d add = _mm256_set1_pd(base), scale = _mm256_set1_pd(divisor), by = _mm256_set1_pd(power);
    const __m256i steps = _mm256_set1_epi32(step);
    __m256i carry = FIRST_CARRY(step), total;
    if (power == 1.0) {
        for (int i = 0; i < 1024; i += 8) {
            __m256i sums = scan(_mm256_loadu_si256((const __m256i *)(residuals + i)), steps, &total);
            sums = _mm256_add_epi32(sums, carry);
            carry = _mm256_add_epi32(carry, total);
            _mm256_storeu_pd(output + i, scaled(_mm256_castsi256_si128(sums), add, scale));
            _mm256_storeu_pd(output + i + 4, scaled(_mm256_extracti128_si256(sums, 1), add, scale));
        }
        return;
    }
    for (int i = 0; i < 1024; i += 8) {
        __m256i sums = scan(_mm256_loadu_si256((const __m256i *)(residuals + i)), steps, &total);
        sums = _mm256_add_epi32(sums, carry);
        carry = _mm256_add_epi32(carry, total);
        _mm256_storeu_pd(output + i, _mm256_div_pd(scaled(_mm256_castsi256_si128(sums), add, scale), by));
        _mm256_storeu_pd(output + i + 4, _mm256_div_pd(scaled(_mm256_extracti128_si256(sums, 1), add, scale), by));
    }
}

AVX2 static inline int64_t add_lanes(__m256i sums) {
    __m128i two = _mm_add_epi64(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    return _mm_cvtsi128_si64(two) + _mm_extract_epi64(two, 1);
}

AVX2 uint64_t martlet_sum_u32(const uint32_t *residuals) {
    __m256i even = _mm256_setzero_si256(), odd = even;
    const __m256i mask = _mm256_set1_epi64x(0xffffffff);
    for (int i = 0; i < 1024; i += 8) {
        __m256i r = _mm256_loadu_si256((const __m256i *)(residuals + i));
        even = _mm256_add_epi64(even, _mm256_and_si256(r, mask));
        odd = _mm256_add_epi64(odd, _mm256_srli_epi64(r, 32));
    }
    return (uint64_t)add_lanes(_mm256_add_epi64(even, odd));
}

AVX2 int64_t martlet_sum_delta(const uint32_t *residuals, int32_t step) {
    // Residual k counts in 1,024 - k running sums.
    __m256i weights = _mm256_sub_epi32(_mm256_set1_epi32(1024), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    const __m256i eight = _mm256_set1_epi32(8), one = _mm256_set1_epi32(1);
    __m256i even = _mm256_setzero_si256(), odd = even;
    for (int i = 0; i < 1024; i += 8) {
        __m256i u = _mm256_loadu_si256((const __m256i *)(residuals + i));
        __m256i sign = _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_and_si256(u, one));
        __m256i d = _mm256_xor_si256(_mm256_srli_epi32(u, 1), sign);
        even = _mm256_add_epi64(even, _mm256_mul_epi32(d, weights));
        odd = _mm256_add_epi64(odd, _mm256_mul_epi32(_mm256_srli_epi64(d, 32), _mm256_srli_epi64(weights, 32)));
        weights = _mm256_sub_epi32(weights, eight);
    }
    return add_lanes(_mm256_add_epi64(even, odd)) + (int64_t)step * (1023 * 1024 / 2);
}

AVX2 void martlet_divide(const int64_t *input, size_t count, double power, double *output) {
    // Adding 2^52 + 2^51 to an integer below 2^51 leaves it in the low bits of the double's pattern.
    const __m256d magic = _mm256_set1_pd(6755399441055744.0), by = _mm256_set1_pd(power);
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        __m256i bits =
            _mm256_add_epi64(_mm256_loadu_si256((const __m256i *)(input + i)), _mm256_castpd_si256(magic));
        _mm256_storeu_pd(output + i, _mm256_div_pd(_mm256_sub_pd(_mm256_castsi256_pd(bits), magic), by));
    }
    for (; i < count; i++) output[i] = (double)input[i] / power;
}

AVX2 size_t martlet_decimal(
    const double *input, size_t count, double power, int64_t *output, uint32_t *exceptions, size_t limit) {
    const __m256d magic = _mm256_set1_pd(6755399441055744.0), by = _mm256_set1_pd(power);
    const __m256d bound = _mm256_set1_pd(2251799813685247.0), negative = _mm256_set1_pd(-0.0);
    size_t found = 0, i = 0;
    for (; i < count && found <= limit; i += 4) {
        double lanes[4];
        __m256d x;
        if (i + 4 <= count) {
            x = _mm256_loadu_pd(input + i);
        } else {
            for (size_t k = 0; k < 4; k++) lanes[k] = i + k < count ? input[i + k] : 0;
            x = _mm256_loadu_pd(lanes);
        }
        __m256d product = _mm256_mul_pd(x, by);
        __m256d shifted = _mm256_add_pd(product, magic);
        __m256d rounded = _mm256_sub_pd(shifted, magic);
        __m256d back = _mm256_div_pd(rounded, by);
        __m256d small = _mm256_cmp_pd(_mm256_andnot_pd(negative, product), bound, _CMP_LE_OQ);
        __m256i same = _mm256_cmpeq_epi64(_mm256_castpd_si256(back), _mm256_castpd_si256(x));
        __m256i good = _mm256_and_si256(same, _mm256_castpd_si256(small));
        __m256i integers = _mm256_and_si256(
            good, _mm256_sub_epi64(_mm256_castpd_si256(shifted), _mm256_castpd_si256(magic)));
        unsigned bad = 15u & ~(unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(good));
        if (i + 4 <= count) {
            _mm256_storeu_si256((__m256i *)(output + i), integers);
        } else {
            int64_t last[4];
            _mm256_storeu_si256((__m256i *)last, integers);
            for (size_t k = 0; i + k < count; k++) output[i + k] = last[k];
            bad &= (1u << (count - i)) - 1;
        }
        for (; bad; bad &= bad - 1) exceptions[found++] = (uint32_t)(i + _tzcnt_u32(bad));
    }
    return found;
}

AVX2 void martlet_bit_lengths(const uint64_t *residuals, size_t count, uint32_t *histogram) {
    uint32_t counts[4][72] = {{0}};
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        counts[0][64 - _lzcnt_u64(residuals[i])]++;
        counts[1][64 - _lzcnt_u64(residuals[i + 1])]++;
        counts[2][64 - _lzcnt_u64(residuals[i + 2])]++;
        counts[3][64 - _lzcnt_u64(residuals[i + 3])]++;
    }
    for (; i < count; i++) counts[0][64 - _lzcnt_u64(residuals[i])]++;
    for (int b = 0; b <= 64; b++) histogram[b] += counts[0][b] + counts[1][b] + counts[2][b] + counts[3][b];
}

#endif
