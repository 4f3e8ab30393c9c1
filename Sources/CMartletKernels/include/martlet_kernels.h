// The few loops that need instructions beyond the x86-64 baseline. Each has a portable twin in Swift that a test
// compares it with, and each is called only after the matching martlet_has_... said yes.
//
// Vectors are of 1,024 numbers; "interleaved" is the bit layout of format-spec/blocks.md.
#pragma once

#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)

/// Whether the processor has SSE 4.2 (the crc32 instruction).
int martlet_has_sse42(void);

/// Whether the processor has AVX2, BMI1, BMI2 and LZCNT.
int martlet_has_avx2(void);

/// CRC-32C of `count` bytes at `bytes`, continuing from the checksum `seed` (0 at the start). Needs SSE 4.2.
uint32_t martlet_crc32c(uint32_t seed, const void *bytes, size_t count);

// Everything below needs AVX2, BMI1, BMI2 and LZCNT.

/// Unpacks an interleaved vector of `width` 0...32 bits a number from `128 * width` bytes.
void martlet_unpack32(const void *input, unsigned width, uint32_t *output);

/// `output[i] = base + divisor * residuals[i]` modulo 2^64, for a vector.
void martlet_reference_i64(const uint32_t *residuals, uint64_t base, uint64_t divisor, int64_t *output);

/// `output[i] = base + divisor * sum` modulo 2^64, where `sum` adds `unzigzag(residuals[k]) + step` for 0 < k <= i; for a
/// vector whose sums fit 32 bits.
void martlet_delta_i64(const uint32_t *residuals, int32_t step, uint64_t base, uint64_t divisor, int64_t *output);

/// The same as doubles, divided by `power`; all products and sums below 2^53. Residuals below 2^31.
void martlet_reference_f64(
    const uint32_t *residuals, double base, double divisor, double power, double *output);
void martlet_delta_f64(
    const uint32_t *residuals, int32_t step, double base, double divisor, double power, double *output);

/// The sum of a vector of residuals.
uint64_t martlet_sum_u32(const uint32_t *residuals);

/// The sum of the running sums that `martlet_delta_i64` forms, for residuals below 2^20 and steps of as many bits.
int64_t martlet_sum_delta(const uint32_t *residuals, int32_t step);

/// `output[i] = (double)input[i] / power` for integers below 2^51 in magnitude.
void martlet_divide(const int64_t *input, size_t count, double power, double *output);

/// Finds the integers with `(double)output[i] / power == input[i]` bit for bit. Where there is none, writes 0 and
/// lists the position; returns the length of the list, which never exceeds `limit + 4`, and stops once above `limit`.
size_t martlet_decimal(
    const double *input, size_t count, double power, int64_t *output, uint32_t *exceptions, size_t limit);

/// Adds to `histogram[b]` the number of residuals of `b` bits, b in 0...64.
void martlet_bit_lengths(const uint64_t *residuals, size_t count, uint32_t *histogram);

/// Decodes `rows` rows of 32 interleaved rANS lanes to `output[row * 32 + lane]`.
///
/// `states` are the lanes' states, updated; `tables` has 2^`bits` entries for each context, each of them the symbol in
/// bits 0...7, its frequency in bits 8...19 and the slot's place in the symbol in bits 20...31. The context of a symbol
/// is the number of the three `thresholds` that the sum of the lane's two symbols before it exceeds. At least 128
/// readable bytes follow `end`. Returns the number of words read, or -1 if they would not have sufficed.
long martlet_rans_decode(
    const uint16_t *words, const uint16_t *end, uint32_t *states, const uint32_t *tables, unsigned bits,
    const int32_t *thresholds, size_t rows, uint8_t *output);

/// Turns `rows` >= 16 rows of 32 bytes into 32 rows of `rows` bytes.
void martlet_transpose32(const uint8_t *input, size_t rows, uint8_t *output);

/// `output[i] = (entries[codes[i]] >> 8) + (the next bits, as many as the entry's low byte says)`, from bit `offset` of
/// `bits` on. An entry asks for up to `longest` <= 56 bits. Reads eight bytes at byte offsets up to `last`; bits beyond
/// are unspecified. Returns the new bit offset.
uint64_t martlet_expand64(
    const uint8_t *codes, size_t count, const uint64_t *entries, unsigned longest, const uint8_t *bits,
    uint64_t offset, uint64_t last, uint64_t *output);

/// The same for a vector, each number shifted left by `shift` (0 or 1), in 32 bits. Codes below `plain` stand for
/// themselves and have no bits; `plain` is 0 where such codes are not the most.
uint64_t martlet_expand32(
    const uint8_t *codes, const uint64_t *entries, unsigned longest, unsigned plain, const uint8_t *bits,
    uint64_t offset, uint64_t last, unsigned shift, uint32_t *output);

#endif
